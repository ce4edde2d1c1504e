import https from 'node:https';
import type { LookupFunction } from 'node:net';
import type { SecureContext } from 'node:tls';
import { placeholders } from '@rekey/crds/placeholder.ts';
import type { CredentialSpec } from '@rekey/crds/credential.ts';
import { splitHost } from '@rekey/crds/split-host.ts';
import { readText } from '@rekey/lib/body.ts';
import { errorCode } from '@rekey/lib/log.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { SecretValue } from '@rekey/lib/secret-value.ts';
import { carrying, find, targetWith, twins } from '../inject/inject.ts';

/** One request with one value, built as a call of the server would be. */
export interface ProbeRequest {
  host: string;
  port: number;
  method: string;
  path: string;
  /** Flat pairs. */
  fields: string[];
}

export interface ProbeAnswer {
  status: number;
  /** As much of it as a probe may look at; empty when there is more. */
  body: string;
}

export type Send = (request: ProbeRequest, signal: AbortSignal) => Promise<ProbeAnswer>;

/** The request that spec.rotation.probe describes, with the value at the places where the server's calls carry it. */
export function probeRequest(name: string, spec: CredentialSpec, value: SecretValue): ProbeRequest {
  const { rotation, hosts, inject } = spec;
  const { probe } = rotation ?? {};
  if (probe === undefined) throw new Failure('RequestInvalid', 'there is no spec.rotation.probe');
  const texts = placeholders(name, spec);
  const [placeholder = ''] = texts;
  const headers = inject.flatMap(({ header, basic }) => {
    // Without a user in the secret nobody knows what stands beside the value.
    if (basic !== undefined) return value.user === undefined ? [] : ['Authorization', `Basic ${btoa(`${placeholder}:${placeholder}`)}`];
    return header === undefined ? [] : [header.name, `${header.prefix ?? ''}${placeholder}`];
  });
  const parameters = inject.flatMap(({ query }) => (query === undefined ? [] : [`${encodeURIComponent(query.name)}=${placeholder}`]));
  const path = [probe.path, ...parameters].reduce((target, one) => `${target}${target.includes('?') ? '&' : '?'}${one}`);
  const found = find({ fields: headers, target: path }, inject, texts);
  if (found === undefined)
    throw new Failure(
      'RequestInvalid',
      'a probe can carry the value in a header, in basic authentication with source.*.userKey, or in a query parameter only',
    );
  const isTwin = twins(found);
  const { name: host, port } = splitHost(probe.host ?? hosts[0] ?? '');
  const fields = [
    'Host',
    port === 443 ? host : `${host}:${port}`,
    ...usual,
    ...(probe.method === 'POST' ? ['Content-Length', '0'] : []),
    ...probe.headers.filter((header) => !isTwin(header.name.toLowerCase())).flatMap((header) => [header.name, header.value]),
    ...carrying(found, value),
  ];
  return { host, port, method: probe.method, path: targetWith(found, value, path), fields };
}

const usual = ['User-Agent', 'rekey', 'Accept', '*/*', 'Accept-Encoding', 'identity'];

const mostBytes = 64 * 1024;
const milliseconds = 8000;

/** A connection of its own for each probe: they are rare, and must not share what calls share. No redirect is followed. */
export function probeSender({ lookup, trusted }: { lookup: LookupFunction; trusted: () => SecureContext }): Send {
  return async ({ host, port, method, path, fields }, signal) => {
    const within = AbortSignal.any([signal, AbortSignal.timeout(milliseconds)]);
    const tls = { servername: host, lookup, secureContext: trusted(), rejectUnauthorized: true };
    try {
      return await new Promise((resolve, reject) => {
        const options = { ...tls, host, port, method, path, headers: fields, setHost: false, agent: false as const, signal: within };
        const request = https.request(options, (response) => {
          const status = response.statusCode ?? 0;
          const tooLarge = (): Error => new RangeError('larger than a probe looks at');
          readText(response, mostBytes, tooLarge).then(
            (body) => resolve({ status, body }),
            (error: unknown) => (error instanceof RangeError ? resolve({ status, body: '' }) : reject(error as Error)),
          );
        });
        request.on('error', reject).end();
      });
    } catch (error) {
      throw error instanceof Failure ? error : new Failure(reasonOf(error), `the probe got no answer from ${host}`);
    }
  };
}

function reasonOf(error: unknown): 'UpstreamCertificateInvalid' | 'UpstreamTimeout' | 'UpstreamUnreachable' {
  const code = errorCode(error);
  if (/CERT|SELF_SIGNED|ALTNAME|VERIFY/u.test(code)) return 'UpstreamCertificateInvalid';
  return code === 'ABORT_ERR' || code === 'ETIMEDOUT' || code === 'TimeoutError' ? 'UpstreamTimeout' : 'UpstreamUnreachable';
}
