// @peculiar/x509 finds its algorithms through tsyringe, which stops unless the `Reflect.getMetadata` proposal is there. These few lines
// are all that it uses of the 50 KB of reflect-metadata; this module is imported before it.

type Key = string | symbol;
const store = new WeakMap<object, Map<Key, unknown>>();

const getMetadata = (key: Key, target: object): unknown => store.get(target)?.get(key);

function defineMetadata(key: Key, value: unknown, target: object): void {
  const known = store.get(target) ?? new Map<Key, unknown>();
  known.set(key, value);
  store.set(target, known);
}

Object.assign(Reflect, {
  getMetadata,
  getOwnMetadata: getMetadata,
  defineMetadata,
  metadata: (key: Key, value: unknown) => (target: object) => defineMetadata(key, value, target),
});
