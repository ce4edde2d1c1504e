import { readFileSync } from 'node:fs';

/** What the Dockerfile says of how an image's program is started. */
export interface Start {
  /** Node's own, of the ENTRYPOINT. */
  flags: string[];
  /** ENV. */
  variables: Record<string, string>;
}

export function imageOf(target: 'operator' | 'sidecar'): Start {
  const text = readFileSync(new URL('../Dockerfile', import.meta.url), 'utf8');
  const [, own = ''] = text.split(`\nFROM scratch AS ${target}\n`);
  const lines = own.split('\nFROM ', 1)[0]?.split('\n') ?? [];
  const instructions = (name: string): string[] =>
    lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
  const [entrypoint] = instructions('ENTRYPOINT');
  if (entrypoint === undefined) throw new Error(`the Dockerfile has no ENTRYPOINT for ${target}`);
  const settings = instructions('ENV').flatMap((line) => line.split(' ').filter((word) => word !== ''));
  return {
    flags: (JSON.parse(entrypoint) as string[]).filter((word) => word.startsWith('--')),
    variables: Object.fromEntries(settings.map((setting) => setting.split('=', 2) as [string, string])),
  };
}
