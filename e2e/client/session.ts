import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ErrorCode, McpError } from '@modelcontextprotocol/sdk/types.js';

export interface Result {
  isError: boolean;
  text: string;
}

interface Open {
  client: Client;
  transport: StreamableHTTPClientTransport;
}

const backoff = 500;

/** One MCP session. A lost one fails the calls that meet the loss; a new one is then opened for the calls after them. */
export class Session {
  readonly #url: URL;
  readonly #timeout: number;
  #open: Open | undefined;
  #closed = false;
  reconnects = 0;

  /** `timeout`: milliseconds that a call may take. */
  constructor(url: string, timeout: number) {
    this.#url = new URL(url);
    this.#timeout = timeout;
  }

  async open(): Promise<void> {
    const transport = new StreamableHTTPClientTransport(this.#url);
    const client = new Client({ name: 'rekey-e2e', version: '0.0.0' });
    await client.connect(transport, { timeout: this.#timeout });
    await client.listTools(undefined, { timeout: this.#timeout });
    this.#open = { client, transport };
  }

  async call(name: string, parameters: Record<string, unknown>): Promise<Result> {
    const open = this.#open;
    if (open === undefined) throw new Error('no MCP session');
    try {
      return result(await open.client.callTool({ name, arguments: parameters }, undefined, { timeout: this.#timeout }));
    } catch (error) {
      if (isLost(error)) this.#lose(open);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#open !== undefined) await end(this.#open);
    this.#open = undefined;
  }

  #lose(lost: Open): void {
    if (this.#open !== lost || this.#closed) return;
    this.#open = undefined;
    // Other calls may still be waiting for their answers on the lost session.
    setTimeout(() => void end(lost), this.#timeout).unref();
    void this.#reopen();
  }

  async #reopen(): Promise<void> {
    while (this.#open === undefined && !this.#closed) {
      this.reconnects += 1;
      await this.open().catch(() => new Promise((resolve) => setTimeout(resolve, backoff)));
    }
  }
}

/** A JSON-RPC error is an answer: the session lives. A timeout or an error of the transport is none. */
function isLost(error: unknown): boolean {
  const silent: number[] = [ErrorCode.RequestTimeout, ErrorCode.ConnectionClosed];
  return !(error instanceof McpError) || silent.includes(error.code);
}

async function end({ client, transport }: Open): Promise<void> {
  await transport.terminateSession().catch(() => undefined);
  await client.close();
}

function result(raw: Awaited<ReturnType<Client['callTool']>>): Result {
  const content = Array.isArray(raw.content) ? (raw.content as { type: string; text?: string }[]) : [];
  return { isError: raw.isError === true, text: content.map((part) => part.text ?? '').join('\n') };
}
