import { readFileSync } from 'node:fs';

/** The fenced block of a page of the documentation that is called so (```hcl NAME): what people copy is what is tested. */
export function blockOf(page: string, name: string): string {
  const text = readFileSync(new URL(`../../docs/sources/${page}.md`, import.meta.url), 'utf8');
  const block = new RegExp(`^\`\`\`\\w+ ${name}\\n(.*?)^\`\`\`$`, 'msu').exec(text)?.[1];
  if (block === undefined) throw new Error(`docs/sources/${page}.md has no block called ${name}`);
  return block;
}

/** The lines `vault write PATH KEY=VALUE…` of a block, as the requests that they make. */
export function writesIn(block: string): { path: string; fields: Record<string, unknown> }[] {
  return block
    .trim()
    .split('\n')
    .map((line) => {
      const [vault, write, path = '', ...pairs] = line.split(' ');
      if (vault !== 'vault' || write !== 'write') throw new Error(`not a command that the test understands: ${line}`);
      return { path, fields: Object.fromEntries(pairs.map(fieldOf)) };
    });
}

function fieldOf(pair: string): [string, unknown] {
  const at = pair.indexOf('=');
  const value = pair.slice(at + 1);
  return [pair.slice(0, at), value.startsWith('{') ? JSON.parse(value) : value];
}
