import { fleet } from '../servers/fleet.ts';
import type { Server } from '../servers/fleet.ts';
import { Lane } from './lane.ts';
import { Tally } from './tally.ts';
import type { Counts, Report } from './tally.ts';

export interface Settings {
  /** Calls a second of the whole fleet. */
  rate: number;
  sessions: number;
  /** Milliseconds that a call may take. */
  timeout: number;
  servers: readonly string[];
}

export interface Stats {
  running: boolean;
  startedAt?: string;
  stoppedAt?: string;
  rate: number;
  total: Counts;
  servers: Record<string, Report & { inFlight: number; reconnects: number }>;
}

interface Run {
  settings: Settings;
  startedAt: string;
  stoppedAt?: string;
  servers: Map<string, { tally: Tally; lanes: Lane[] }>;
}

const callsApart = 1_000_000;
const patience = 60_000;

/** The load: every server of the fleet, called without a break from `start` to `stop`. */
export class Driver {
  readonly #urlOf: (server: string) => string;
  readonly #excused = new Set<string>();
  #run: Run | undefined;

  constructor(urlOf: (server: string) => string) {
    this.#urlOf = urlOf;
  }

  get running(): boolean {
    return this.#run !== undefined && this.#run.stoppedAt === undefined;
  }

  /** Opens every session before the first call is made. Servers that are still starting are waited for. */
  async start(settings: Settings): Promise<void> {
    const chosen = fleet.filter((server) => settings.servers.includes(server.name));
    const run: Run = { settings, startedAt: '', servers: new Map() };
    for (const server of chosen) run.servers.set(server.name, this.#lanes(server, shareOf(server, chosen, settings), settings));
    const lanes = lanesOf(run);
    const opened = await Promise.allSettled(lanes.map((lane) => openWithin(lane, patience)));
    const failed = opened.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) {
      await Promise.all(lanes.map((lane) => lane.stop()));
      throw failed.reason;
    }
    for (const lane of lanes) lane.start();
    this.#run = { ...run, startedAt: new Date().toISOString() };
  }

  async stop(): Promise<void> {
    const run = this.#run;
    if (run === undefined || !this.running) return;
    await Promise.all(lanesOf(run).map((lane) => lane.stop()));
    run.stoppedAt = new Date().toISOString();
  }

  excuse(server: string, on: boolean): void {
    if (on) this.#excused.add(server);
    else this.#excused.delete(server);
  }

  stats(): Stats {
    const run = this.#run;
    const servers = [...(run?.servers ?? [])];
    const reports = servers.map(
      ([name, { tally, lanes }]) =>
        [name, { ...tally.report(), inFlight: sum(lanes, 'inFlight'), reconnects: sum(lanes, 'reconnects') }] as const,
    );
    return {
      running: this.running,
      ...(run === undefined ? {} : { startedAt: run.startedAt }),
      ...(run?.stoppedAt === undefined ? {} : { stoppedAt: run.stoppedAt }),
      rate: run?.settings.rate ?? 0,
      total: Tally.total(servers.map(([, { tally }]) => tally)),
      servers: Object.fromEntries(reports),
    };
  }

  #lanes(server: Server, rate: number, { sessions, timeout }: Settings): { tally: Tally; lanes: Lane[] } {
    const tally = new Tally();
    const excused = () => this.#excused.has(server.name);
    const lane = (index: number) =>
      new Lane({ server, url: this.#urlOf(server.name), rate: rate / sessions, timeout, first: index * callsApart, tally, excused });
    return { tally, lanes: Array.from({ length: sessions }, (_, index) => lane(index)) };
  }
}

/** What servers that limit their own rate cannot take goes to the others. */
function shareOf(server: Server, chosen: readonly Server[], { rate, sessions }: Settings): number {
  const own = ({ pause }: Server) => (pause === undefined ? 0 : (sessions * 1000) / pause);
  const limited = chosen.reduce((total, each) => total + own(each), 0);
  const free = chosen.filter((each) => each.pause === undefined).length;
  return server.pause === undefined ? Math.max(0.1, (rate - limited) / free) : own(server);
}

async function openWithin(lane: Lane, milliseconds: number): Promise<void> {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    try {
      return await lane.open();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

function lanesOf(run: Run): Lane[] {
  return [...run.servers.values()].flatMap(({ lanes }) => lanes);
}

function sum(lanes: readonly Lane[], key: 'inFlight' | 'reconnects'): number {
  return lanes.reduce((total, lane) => total + lane[key], 0);
}
