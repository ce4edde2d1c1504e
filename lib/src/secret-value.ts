import { inspect } from 'node:util';

const redacted = '[redacted]';

/**
 * A credential's value. The only way out is `reveal()`: printing, JSON and inspecting it say `[redacted]`,
 * so a value that strays into a log line, an error or a status does no harm.
 */
export class SecretValue {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. Call it only where the value is written into a request to its own host. */
  reveal(): string {
    return this.#value;
  }

  equals(other: SecretValue): boolean {
    return this.#value === other.#value;
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  [inspect.custom](): string {
    return redacted;
  }
}
