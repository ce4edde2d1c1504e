/** A message that is not what RFC 9112 calls HTTP/1.1: `status` is the answer to a request, `message` one sentence without its bytes. */
export class Malformed extends Error {
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.name = 'Malformed';
    this.status = status;
  }
}
