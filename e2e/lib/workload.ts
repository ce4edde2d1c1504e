import type { CredentialObject } from './credential.ts';
import { condition, credential } from './credential.ts';
import type { Pod } from './kube.ts';
import { apply, kubectl, pods, refusal } from './kube.ts';
import { until } from './run.ts';
import { githubCredential, probePod, sandbox } from './sandbox.ts';
import { canary, newSecret } from './secret.ts';
import type { Stack } from './stack.ts';
import { connect } from './stack.ts';
import { ask } from './web.ts';

// Workloads of every kind that make pods, in a namespace whose credentials read one and the same key.

export interface Template {
  metadata: { labels: object };
  spec: object;
}

/** The pod of a server that goes on, or, with a command, of one that ends. */
export async function template(space: string, app: string, spec: object = {}, command?: string[]): Promise<Template> {
  const container = command === undefined ? {} : { command };
  const { metadata, spec: whole } = (await probePod(space, app, { spec: { ...spec }, container })) as Template;
  return { metadata: { labels: metadata.labels }, spec: whole };
}

const object = (space: string, { kind, name, spec }: { kind: string; name: string; spec: object }): object => ({
  apiVersion: kind === 'Job' || kind === 'CronJob' ? 'batch/v1' : 'apps/v1',
  kind,
  metadata: { name, namespace: space },
  spec,
});

export async function server(space: string, kind: 'Deployment' | 'StatefulSet' | 'DaemonSet', name: string): Promise<object> {
  const own = { Deployment: { replicas: 2 }, StatefulSet: { replicas: 2, serviceName: name }, DaemonSet: {} }[kind];
  const spec = { ...own, selector: { matchLabels: { app: name } }, template: await template(space, name) };
  return object(space, { kind, name, spec });
}

/** Calls GitHub once, with what stands in its environment, and ends with 0 when that was accepted. */
export const once = [
  'node',
  '-e',
  `const headers = { authorization: 'Bearer ' + process.env.GITHUB_TOKEN, 'user-agent': 'job' };
   fetch('https://api.github.com/user', { headers }).then(({ status }) => process.exit(status === 200 ? 0 : 1), () => process.exit(2));`,
];

export async function job(space: string, name: string, command: string[]): Promise<object> {
  return object(space, {
    kind: 'Job',
    name,
    spec: { backoffLimit: 0, template: await template(space, name, { restartPolicy: 'Never' }, command) },
  });
}

/** One job a minute, which calls once. */
export async function cronJob(space: string, name: string): Promise<object> {
  const spec = { backoffLimit: 0, template: await template(space, name, { restartPolicy: 'OnFailure' }, once) };
  return object(space, { kind: 'CronJob', name, spec: { schedule: '* * * * *', concurrencyPolicy: 'Forbid', jobTemplate: { spec } } });
}

const path = (space: string): string => `mcp/${space}`;

/** The credential NAME for the pods of these apps. */
export function github(space: string, name: string, apps: readonly string[] = [name]): object {
  const podSelector = { matchExpressions: [{ key: 'app', operator: 'In', values: apps }] };
  return githubCredential(space, name, { source: { vault: { path: path(space), key: 'token' } }, podSelector });
}

/** The namespace, empty, and a key in the vault. */
export async function startSpace(space: string): Promise<Stack> {
  const stack = await connect();
  await sandbox(space);
  await stack.vault.remove(path(space));
  await rotate(stack, space);
  return stack;
}

/** Makes credentials; resolves when pods of `apps` are admitted. */
export async function known(space: string, credentials: readonly object[], apps: readonly string[]): Promise<void> {
  await apply(credentials);
  await until('the webhook knows the credentials', 30, async () => {
    const refusals = await Promise.all(apps.map(async (app) => refusal(await probePod(space, app))));
    return refusals.every((message) => message === '') ? true : undefined;
  });
}

let count = 0;

/** A new key, valid, in the vault; resolves with its version. */
export async function rotate({ internet, vault }: Stack, space: string): Promise<string> {
  const value = newSecret();
  await internet.issue('github', `${canary}/${space}-${(count += 1)}`, value);
  return vault.write(path(space), { token: value });
}

export const podsOf = (space: string, app: string): Promise<Pod[]> => pods(space, '-l', `app=${app}`);

/** Waits until this many pods of a server, and no more, have called GitHub and were answered. */
export async function calls(space: string, app: string, expected: number): Promise<void> {
  await until(`${expected} pods of ${app} call`, 120, async () => {
    const addresses = (await podsOf(space, app)).map(({ status }) => status.podIP);
    const answers = await Promise.all(addresses.map(callAt));
    return answers.length === expected && answers.every(({ status }) => status === 200) ? true : undefined;
  });
}

const callAt = async (ip: string | undefined): Promise<{ status?: number }> =>
  (await ask(`http://${ip}:8000/call`)).json as { status?: number };

/** Waits until every pod of a credential uses the version. */
export function settled(space: string, name: string, version: string): Promise<CredentialObject> {
  return until(`${name}: version ${version} everywhere`, 90, async () => {
    const now = await credential(name, space);
    return now.status?.version === version && condition(now, 'Propagated')?.status === 'True' ? now : undefined;
  });
}

export const endSpace = (space: string): Promise<string> => kubectl('delete', 'namespace', space, '--wait=false');
