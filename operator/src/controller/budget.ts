import type { Kubernetes } from '../kubernetes.ts';

export interface BudgetOptions {
  now: () => number;
  /** Writes a second, for as long as it takes. */
  perSecond?: number;
  /** Writes that may come at once when there were few before. */
  burst?: number;
}

/**
 * What the controller writes counts; what may wait, waits until there is room. Twenty writes a second is what Kubernetes' own
 * controllers allow themselves (kube-controller-manager, --kube-api-qps), and no minute has more than sixty times that: a thousand pods
 * that start together are bound within two minutes, and what is urgent, such as a new version, is never held up by them.
 */
export class Budget {
  readonly #options: Required<BudgetOptions>;
  #left: number;
  #at: number;

  constructor(options: BudgetOptions) {
    this.#options = { perSecond: 16, burst: 240, ...options };
    this.#left = this.#options.burst;
    this.#at = options.now();
  }

  /** One more write; what is urgent may go below nothing, and what can wait then waits for longer. */
  spend(): void {
    this.#refill();
    this.#left -= 1;
  }

  /** Whether less than a quarter of the burst is left: what waits for room needs all that comes. */
  get isTight(): boolean {
    this.#refill();
    return this.#left < this.#options.burst / 4;
  }

  /** Milliseconds until there is room for one write. */
  wait(): number {
    this.#refill();
    return this.#left >= 1 ? 0 : Math.ceil(((1 - this.#left) / this.#options.perSecond) * 1000);
  }

  #refill(): void {
    const { now, perSecond, burst } = this.#options;
    const at = now();
    // A clock that was set back gives nothing, and takes nothing.
    const passed = Math.max(0, at - this.#at) / 1000;
    this.#left = Math.min(burst, this.#left + passed * perSecond);
    this.#at = at;
  }
}

/** The same API server, whose writes are counted. */
export function counted(kubernetes: Kubernetes, budget: Budget): Kubernetes {
  return {
    ...kubernetes,
    create: (collection, object) => {
      budget.spend();
      return kubernetes.create(collection, object);
    },
    apply: (path, object) => {
      budget.spend();
      return kubernetes.apply(path, object);
    },
    patch: (path, change, type) => {
      budget.spend();
      return kubernetes.patch(path, change, type);
    },
  };
}
