import { inspect } from 'node:util';

const redacted = '[redacted]';

/**
 * A credential's value. The only way out is `reveal()`: printing, JSON and inspecting it say `[redacted]`,
 * so a value that strays into a log line, an error or a status does no harm.
 */
export class SecretValue {
  readonly #value: string;
  /** Of basic authentication, where the secret holds one beside the password. */
  readonly user: SecretValue | undefined;

  constructor(value: string, user?: SecretValue) {
    this.#value = value;
    this.user = user;
  }

  /** The value itself. Call it only where the value is written into a request to its own host. */
  reveal(): string {
    return this.#value;
  }

  equals(other: SecretValue): boolean {
    return this.#value === other.#value && this.user?.reveal() === other.user?.reveal();
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
