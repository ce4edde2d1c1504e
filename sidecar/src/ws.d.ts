// What the tests use of the WebSocket library, which has no types of its own.
declare module 'ws' {
  import type { EventEmitter } from 'node:events';
  import type { IncomingMessage } from 'node:http';
  import type { Duplex } from 'node:stream';

  interface ClientOptions {
    headers?: Record<string, string>;
    createConnection?: () => Duplex;
    perMessageDeflate?: boolean;
  }

  export class WebSocket extends EventEmitter {
    constructor(url: string, protocols: string[], options?: ClientOptions);
    readonly protocol: string;
    readonly extensions: string;
    readonly bufferedAmount: number;
    send(data: string | Buffer, options?: { compress?: boolean }): void;
    pause(): void;
    resume(): void;
    close(code?: number, reason?: string): void;
    terminate(): void;
  }

  export class WebSocketServer extends EventEmitter {
    constructor(options: { noServer: true; perMessageDeflate?: boolean });
    handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, done: (socket: WebSocket) => void): void;
  }
}
