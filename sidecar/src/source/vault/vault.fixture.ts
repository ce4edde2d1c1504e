import { inspect } from 'node:util';
import type { VaultStore } from '@rekey/crds/store.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { Reading, Source } from '../source.ts';
import { unused } from '../unused.fixture.ts';
import type { FakeVault } from './vault.fake.ts';
import { vaultSource } from './vault.ts';

export const reference = { path: 'mcp/github', key: 'token' };

/** A source on that vault, with what differs in its store. */
export function openOn({ address, server }: FakeVault, settings: Partial<VaultStore> = {}): Source {
  const kubernetes = { mount: 'kubernetes', role: 'mcp', operatorRole: 'rekey-operator', audience: 'vault' };
  const vault = { address, caBundle: server.ca, mount: 'kv', auth: { kubernetes }, ...settings };
  const limits = { attempts: 3, attempt: 10_000, budget: 30_000, pause: 1 };
  const token = (): Promise<string> => Promise.resolve('jwt-1');
  return vaultSource({ name: 'default', store: { vault, pollIntervalSeconds: 10 }, token, lookup: server.lookup, ...unused }, limits);
}

export const readFrom = (source: Source, version?: string, of: object = {}): Promise<Reading> =>
  source.read({ vault: { ...reference, ...of } }, version, new AbortController().signal);

export async function failureOf(reading: Promise<Reading>): Promise<Failure> {
  const error: unknown = await reading.catch((caught: unknown) => caught);
  if (error instanceof Failure) return error;
  throw new Error(`no Failure: ${inspect(error)}`);
}
