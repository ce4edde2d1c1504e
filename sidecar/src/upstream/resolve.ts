import { Resolver } from 'node:dns';
import type { LookupAddress, RecordWithTtl } from 'node:dns';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { LookupFunction } from 'node:net';
import { errorCode } from '@rekey/lib/log.ts';
import { Failure } from '@rekey/lib/reason.ts';
import { isForbiddenAddress } from './address.ts';
import { candidates, searchListOf } from './resolv-conf.ts';

export interface LookupOptions {
  /** DNS servers; those of resolv.conf unless given. */
  servers?: readonly string[];
  /** Text of resolv.conf; read from /etc unless given. */
  resolvConf?: string;
  /** Allow servers on this machine. For tests. */
  allowLoopback?: boolean;
  now?: () => number;
}

interface Known {
  addresses: LookupAddress[];
  /** The candidate that had the addresses: asked first the next time. */
  name: string;
  expires: number;
}

/** The last good addresses serve this much longer when DNS is down. */
const graceMilliseconds = 30_000;
const mostSeconds = 300;
/** c-ares' words for: the name does not exist, or not with this type. Everything else means that DNS does not work. */
const absent = new Set(['ENOTFOUND', 'ENODATA', 'ENONAME']);

/**
 * A `lookup` for net.connect that asks DNS alone (c-ares), never /etc/hosts: the sidecar shares the pod's hosts file, which names
 * itself as the upstream. Gives only allowed addresses, so the address that was checked is the one that is dialled. Fails with
 * UpstreamNameNotFound, UpstreamAddressForbidden or UpstreamUnreachable.
 */
export function createLookup(options: LookupOptions = {}): LookupFunction {
  const names = new Names(options);
  return (hostname, { all, family }, callback) => {
    const failed = (error: Error): void => process.nextTick(callback, error, '', 0);
    const answered = (addresses: LookupAddress[]): void => {
      const wanted = family === 4 || family === 6 ? addresses.filter((address) => address.family === family) : addresses;
      const [first] = wanted;
      if (first === undefined) failed(new Failure('UpstreamNameNotFound'));
      else if (all === true) process.nextTick(callback, null, wanted);
      else process.nextTick(callback, null, first.address, first.family);
    };
    names.addresses(hostname).then(answered, failed);
  };
}

class Names {
  readonly #options: LookupOptions;
  readonly #resolver = new Resolver({ timeout: 2000, tries: 2 });
  readonly #known = new Map<string, Known>();
  readonly #flights = new Map<string, Promise<LookupAddress[]>>();
  readonly #now: () => number;

  constructor(options: LookupOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    if (options.servers !== undefined) this.#resolver.setServers(options.servers);
  }

  async addresses(hostname: string): Promise<LookupAddress[]> {
    const known = this.#known.get(hostname);
    if (known !== undefined && known.expires > this.#now()) return known.addresses;
    const flight = this.#flights.get(hostname) ?? this.#refresh(hostname, known);
    this.#flights.set(hostname, flight);
    return flight;
  }

  async #refresh(hostname: string, known: Known | undefined): Promise<LookupAddress[]> {
    try {
      const found = await this.#ask(hostname, known?.name);
      this.#known.set(hostname, found);
      return found.addresses;
    } catch (error) {
      const reason = error instanceof Failure ? error.reason : undefined;
      if (reason === 'UpstreamUnreachable' && known !== undefined && known.expires + graceMilliseconds > this.#now())
        return known.addresses;
      this.#known.delete(hostname);
      throw error;
    } finally {
      this.#flights.delete(hostname);
    }
  }

  /** The first candidate that has an address decides, also when the address is a forbidden one. */
  async #ask(hostname: string, last: string | undefined): Promise<Known> {
    if (isIP(hostname) !== 0) throw new Failure('UpstreamAddressForbidden', 'an upstream is a name, not an address');
    const names = candidates(hostname, searchListOf(this.#options.resolvConf ?? resolvConf()));
    for (const name of last === undefined ? names : new Set([last, ...names])) {
      const records = await this.#records(name);
      if (records.length > 0) return this.#checked(name, records);
    }
    throw new Failure('UpstreamNameNotFound');
  }

  #checked(name: string, records: readonly (RecordWithTtl & { family: number })[]): Known {
    const allowed = records.filter(({ address }) => !isForbiddenAddress(address, this.#options.allowLoopback));
    if (allowed.length === 0) throw new Failure('UpstreamAddressForbidden');
    const ttl = Math.min(mostSeconds, Math.max(1, Math.min(...allowed.map((record) => record.ttl))));
    const addresses = allowed.map(({ address, family }) => ({ address, family }));
    return { name, addresses, expires: this.#now() + ttl * 1000 };
  }

  async #records(name: string): Promise<(RecordWithTtl & { family: number })[]> {
    const [four, six] = await Promise.all([this.#query(name, 4), this.#query(name, 6)]);
    const records = [...four.records, ...six.records];
    if (records.length === 0 && (four.broken || six.broken)) throw new Failure('UpstreamUnreachable', 'DNS does not answer');
    return records;
  }

  #query(name: string, family: 4 | 6): Promise<{ broken: boolean; records: (RecordWithTtl & { family: number })[] }> {
    return new Promise((resolve) => {
      const done = (error: Error | null, records: RecordWithTtl[] = []): void =>
        resolve({ broken: error !== null && !absent.has(errorCode(error)), records: records.map((record) => ({ ...record, family })) });
      if (family === 4) this.#resolver.resolve4(name, { ttl: true }, done);
      else this.#resolver.resolve6(name, { ttl: true }, done);
    });
  }
}

function resolvConf(): string {
  try {
    return readFileSync('/etc/resolv.conf', 'utf8');
  } catch {
    return '';
  }
}
