/*
 * @peculiar/x509 finds its algorithms through tsyringe, which refuses to load without the metadata methods of Reflect (a
 * withdrawn TC39 proposal). These are the few of them that the two call; the usual polyfill is forty times as much code.
 * Import this file before @peculiar/x509.
 */
type Target = object;

const metadata = new WeakMap<Target, Map<unknown, unknown>>();

function defineMetadata(key: unknown, value: unknown, target: Target): void {
  metadata.set(target, new Map(metadata.get(target)).set(key, value));
}

function getOwnMetadata(key: unknown, target: Target): unknown {
  return metadata.get(target)?.get(key);
}

function getMetadata(key: unknown, target: Target): unknown {
  for (let owner: Target | null = target; owner !== null; owner = Object.getPrototypeOf(owner) as Target | null)
    if (metadata.get(owner)?.has(key) === true) return getOwnMetadata(key, owner);
  return undefined;
}

if (!('getMetadata' in Reflect)) Object.assign(Reflect, { defineMetadata, getOwnMetadata, getMetadata });
