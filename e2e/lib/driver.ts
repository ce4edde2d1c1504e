import { addressOf } from './kube.ts';
import { ask } from './web.ts';

export interface ServerStats {
  calls: number;
  failed: number;
  refusedOnPurpose: number;
  failures: unknown[];
}
export interface DriverStats {
  servers: Record<string, ServerStats>;
}

/** The real MCP clients, which call every server all the time, steered at their pod. */
export class Driver {
  readonly #url: string;

  private constructor(url: string) {
    this.#url = url;
  }

  static async connect(): Promise<Driver> {
    return new Driver(`http://${await addressOf('demo', 'client')}:8080`);
  }

  start(rate: number): Promise<unknown> {
    return this.#must('POST', '/start', { rate });
  }

  async stop(): Promise<DriverStats> {
    return (await this.#must('POST', '/stop', {})) as DriverStats;
  }

  async stats(): Promise<DriverStats> {
    return (await this.#must('GET', '/stats')) as DriverStats;
  }

  /** From now on calls that this server's sidecar refuses on purpose are counted apart. */
  excuse(server: string, on: boolean): Promise<unknown> {
    return this.#must('POST', '/excuse', { server, on });
  }

  async #must(method: string, path: string, body?: unknown): Promise<unknown> {
    const { status, json } = await ask(`${this.#url}${path}`, { method, body });
    if (status >= 300) throw new Error(`the MCP clients answered ${status} to ${method} ${path}`);
    return json;
  }
}

export const sum = (stats: DriverStats, of: keyof Omit<ServerStats, 'failures'>): number =>
  Object.values(stats.servers).reduce((total, server) => total + server[of], 0);
