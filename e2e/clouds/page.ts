import { readFileSync } from 'node:fs';

/** The fenced block of a page of the documentation that is called so (```json NAME): what people copy is what is tested. */
export function blockOf(page: string, name: string): string {
  const text = readFileSync(new URL(`../../docs/sources/${page}.md`, import.meta.url), 'utf8');
  const block = new RegExp(`^\`\`\`\\w+ ${name}\\n(.*?)^\`\`\`$`, 'msu').exec(text)?.[1];
  if (block === undefined) throw new Error(`docs/sources/${page}.md has no block called ${name}`);
  return block;
}
