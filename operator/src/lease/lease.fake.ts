import type { Handler } from '../api-server.fake.ts';
import type { LeaseSpec } from './decide.ts';
import type { PodStatus } from './holder.ts';
import { leaseName } from './lease.ts';

type Answer = ReturnType<Handler>;
type Body = { spec?: LeaseSpec; metadata?: { resourceVersion?: string } } | undefined;

const pods = '/api/v1/namespaces/rekey-system/pods/';

export interface FakeLease {
  handler: Handler;
  /** undefined: there is none. */
  spec: LeaseSpec | undefined;
  /** Of the operator's pods, by name. */
  pods: Record<string, PodStatus>;
  /** What the API server answers instead, such as 500. */
  failure: number | undefined;
  /** The same, to writes alone. */
  writeFailure: number | undefined;
}

const failed = (status: number): Answer => ({ status, body: { reason: 'InternalError' } });

/** A Lease and the pods of its holders, behind as much of the API server as they take. */
export function fakeLease(): FakeLease {
  let resourceVersion = 1;
  const write = (spec: LeaseSpec, allowed: boolean): Answer => {
    if (fake.writeFailure !== undefined) return failed(fake.writeFailure);
    if (!allowed) return { status: 409, body: { reason: 'Conflict' } };
    fake.spec = { ...fake.spec, ...spec };
    resourceVersion += 1;
    return { status: 200, body: { metadata: { name: leaseName }, spec } };
  };
  const read = (object: object | undefined): Answer => {
    const metadata = { name: 'any', resourceVersion: String(resourceVersion) };
    return object === undefined ? { status: 404, body: { reason: 'NotFound' } } : { status: 200, body: { metadata, ...object } };
  };
  const fake: FakeLease = {
    spec: undefined,
    pods: {},
    failure: undefined,
    writeFailure: undefined,
    handler: ({ method, path, body }) => {
      const { spec = {}, metadata } = (body as Body) ?? {};
      if (fake.failure !== undefined) return failed(fake.failure);
      if (method === 'POST') return write(spec, fake.spec === undefined);
      if (method === 'PATCH') return write(spec, metadata?.resourceVersion === String(resourceVersion));
      return read(path.startsWith(pods) ? fake.pods[path.slice(pods.length)] : fake.spec && { spec: fake.spec });
    },
  };
  return fake;
}
