import type { StoreSpec } from '@rekey/crds/store.ts';
import { storeSpec } from '@rekey/crds/store.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads typed variables and keeps a line for each that is wrong; what it returns for those is of the right type alone. */
export class EnvironmentReader {
  readonly problems: string[] = [];
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Without a default the variable is required. An empty variable counts as unset. */
  matching(name: string, pattern: RegExp, otherwise?: string): string {
    const text = this.#environment[name] || otherwise;
    if (text === undefined) this.problems.push(`${name} is not set`);
    else if (!pattern.test(text)) this.problems.push(`${name} is ${JSON.stringify(text)}, which does not match ${pattern.source}`);
    return text ?? '';
  }

  /** With commas between them; none when it is unset. */
  names(name: string, pattern: RegExp): string[] {
    const names = (this.#environment[name] ?? '').split(',').filter((one) => one !== '');
    for (const one of names.filter((one) => !pattern.test(one))) {
      this.problems.push(
        `${name} has ${JSON.stringify(one)}, which does not match ${pattern.source}: write names with commas between them`,
      );
    }
    return [...new Set(names)];
  }

  oneOf<T extends string>(name: string, choices: readonly T[], otherwise: T): T {
    const text = this.#environment[name] || otherwise;
    const choice = choices.find((candidate) => candidate === text);
    if (choice === undefined) this.problems.push(`${name} is ${JSON.stringify(text)}: choose one of ${choices.join(', ')}`);
    return choice ?? otherwise;
  }

  store(name: string): StoreSpec | undefined {
    const text = this.#environment[name] || undefined;
    if (text === undefined) return undefined;
    const result = storeSpec.safeParse(jsonOf(text));
    for (const { path, message } of result.error?.issues ?? []) this.problems.push(`${name}: ${[...path, message].join(': ')}`);
    return result.data;
  }

  port(name: string, otherwise: number): number {
    const text = this.#environment[name] || String(otherwise);
    const port = Number(text);
    if (/^[0-9]{1,5}$/u.test(text) && port <= 65_535) return port;
    this.problems.push(`${name} is ${JSON.stringify(text)}: a port is a number from 0 to 65535`);
    return otherwise;
  }
}

/** Undefined when it is not JSON, which no schema takes. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
