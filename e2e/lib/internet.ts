import { addressOf } from './kube.ts';
import { ask } from './web.ts';

export interface TokenUse {
  accepted: number;
  refused: number;
  firstSeen?: number;
  lastSeen?: number;
}

export interface InternetStats {
  apis: Record<
    string,
    { calls: number; accepted: number; refused: number; misplaced: number; tokens: Record<string, TokenUse>; valid: string[] }
  >;
  misplaced: unknown[];
}

/** The upstream that plays the public APIs, steered at its pod. */
export class Internet {
  readonly #url: string;

  private constructor(url: string) {
    this.#url = url;
  }

  static async connect(): Promise<Internet> {
    return new Internet(`http://${await addressOf('internet', 'internet')}:8080`);
  }

  /** The provider issues a key: from now on it is valid. `name` stands for it wherever it is counted. */
  async issue(api: string, name: string, value: string): Promise<void> {
    await this.#must('PUT', '/tokens', { api, name, value });
  }

  /** The provider revokes a key: from now on it is refused. */
  async revoke(api: string, name: string): Promise<void> {
    await this.#must('DELETE', `/tokens/${api}/${encodeURIComponent(name)}`);
  }

  async reset(tokens: boolean): Promise<void> {
    await this.#must('POST', '/reset', { tokens });
  }

  async stats(): Promise<InternetStats> {
    return (await this.#must('GET', '/stats')) as InternetStats;
  }

  async #must(method: string, path: string, body?: unknown): Promise<unknown> {
    const { status, json } = await ask(`${this.#url}${path}`, { method, body });
    if (status >= 300) throw new Error(`the upstreams answered ${status} to ${method} ${path}`);
    return json;
  }
}
