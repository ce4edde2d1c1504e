import type { Server } from '../servers/fleet.ts';

export const sourceNames = ['vault', 'aws', 'gcp', 'kubernetes'] as const;
export type SourceName = (typeof sourceNames)[number];

/** Where servers of the fleet keep their keys, as the person who owns the source sees it. */
export interface Source {
  name: SourceName;
  /** Whether `spec.version` can name an earlier version. */
  versioned: boolean;
  /** `source` and `storeRef` of the server's MCPCredential. */
  reference(server: Server): object;
  /** Writes a new value; resolves with how to learn the version that it got. */
  write(server: Server, value: string): Promise<() => Promise<string>>;
  /** What pins the version before the newest; its name there, unless it has a label of its own. */
  previous?: string;
  /** Removes the secret with all its versions, if it is there. */
  remove(server: Server): Promise<void>;
}

/** The sources that `make demo SOURCES=vault,aws` names; the vault alone unless given. */
export function chosenSources(text = process.env['SOURCES'] ?? ''): SourceName[] {
  const names = text.split(',').filter((name) => name !== '');
  const unknown = names.filter((name) => !(sourceNames as readonly string[]).includes(name));
  if (unknown.length > 0) throw new Error(`SOURCES names ${unknown.join(', ')}: choose from ${sourceNames.join(', ')}`);
  return names.length === 0 ? ['vault'] : ([...new Set(names)] as SourceName[]);
}
