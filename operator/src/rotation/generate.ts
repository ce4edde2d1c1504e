import { readFileSync, writeFileSync } from 'node:fs';
import { withDiagram } from './diagram.ts';

// Part of `npm run generate`: docs/rotation.md draws the procedure from the rows that run it.
const page = new URL('../../../docs/rotation.md', import.meta.url);
writeFileSync(page, withDiagram(readFileSync(page, 'utf8')));
