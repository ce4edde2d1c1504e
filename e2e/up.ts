import { sourceNames } from './lib/source.ts';
import { bringUp } from './lib/stack.ts';

// `node e2e/up.ts`: everything that the e2e tests need, running.
await bringUp(sourceNames);
