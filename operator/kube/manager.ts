/** Starts and stops the parts of a process in order, and exits if it must not continue. */
import { aborted } from './abort.ts';
import { type Clock, systemClock } from './clock.ts';
import type { LeaderElector } from './elector.ts';
import { type Logger, silentLogger } from './logger.ts';
import type { Reflector } from './reflector.ts';

/** Works until its signal aborts. */
export interface Runnable {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
}

/** Serves from the end of `start` to the end of `stop`. */
export interface Server {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** A cache that other parts need complete before they start. */
export type Cache = Runnable & Pick<Reflector, 'waitForSync' | 'status'>;

export interface ManagerOptions {
  /** Without an elector, leader-only parts start at once. */
  elector?: LeaderElector;
  /** Runs before the caches fill. Probes already answer meanwhile, so it may take long. */
  prepare?: (signal: AbortSignal) => Promise<void>;
  /**
   * Exits the process. Called with 1 when the Lease is lost, because another process may lead and nothing may be written
   * any more.
   */
  exit: (code: number) => void;
  /** Time limit of a graceful stop. Must be shorter than the pod's grace period. Default 30 s. */
  stopTimeoutMs?: number;
  log?: Logger;
  clock?: Clock;
}

/** Persistent errors that indicate a missing permission or CRD. */
const NOT_READY_CODES: ReadonlySet<string> = new Set(['Forbidden', 'Unauthorized', 'NotFound']);

/** Runnables that start and stop together. */
class Group {
  readonly #abort = new AbortController();
  readonly #running: Promise<void>[] = [];
  readonly #fail: (error: Error) => void;

  constructor(fail: (error: Error) => void) {
    this.#fail = fail;
  }

  start({ name, run }: Runnable): void {
    this.#running.push(this.#supervise(name, run));
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error('stopping'));
    await Promise.all(this.#running);
  }

  async #supervise(name: string, run: Runnable['run']): Promise<void> {
    try {
      await run(this.#abort.signal);
    } catch (error) {
      this.#fail(new Error(`${name} failed`, { cause: error }));
      return;
    }
    if (!this.#abort.signal.aborted) {
      this.#fail(new Error(`${name} ended unexpectedly`));
    }
  }
}

export class Manager {
  readonly #options: ManagerOptions;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #servers: Server[] = [];
  readonly #caches: Cache[] = [];
  readonly #runnables: Runnable[] = [];
  readonly #leaderOnly: Runnable[] = [];
  readonly #stop = new AbortController();
  #failure: Error | undefined;

  constructor(options: ManagerOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.#clock = options.clock ?? systemClock;
  }

  /** Servers start first and stop last, so that probes always answer. */
  addServer(server: Server): void {
    this.#servers.push(server);
  }

  addCache(cache: Cache): void {
    this.#caches.push(cache);
  }

  /** Adds a part that needs the caches. Use `leaderOnly` for everything that writes. */
  add(runnable: Runnable, { leaderOnly = false }: { leaderOnly?: boolean } = {}): void {
    (leaderOnly ? this.#leaderOnly : this.#runnables).push(runnable);
  }

  /** Whether leader-only parts may work. */
  get isLeader(): boolean {
    return this.#options.elector?.isLeader ?? true;
  }

  /** Readiness check. Throws while a cache is incomplete or its permission is missing. */
  ready(): void {
    const problems = this.#caches.flatMap((cache) => {
      const { synced, error } = cache.status();
      const bad = error !== undefined && NOT_READY_CODES.has(error.code);
      return synced && !bad ? [] : [`${cache.name}: ${error?.message ?? 'first list not complete'}`];
    });
    if (problems.length > 0) {
      throw new Error(problems.join('; '));
    }
  }

  /**
   * Runs everything until the signal aborts or a part fails, then stops in reverse order: leader-only parts drain before
   * the Lease is released, and caches outlive their readers.
   * @throws Error of the part that failed, or if the stop takes too long.
   */
  async run(signal: AbortSignal): Promise<void> {
    const onAbort = () => this.#stop.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) {
      onAbort();
    }
    const fail = (error: Error) => {
      this.#failure ??= error;
      this.#stop.abort(error);
    };
    const caches = new Group(fail);
    const runnables = new Group(fail);
    const election = new Group(fail);
    const leaders = new Group(fail);
    const started: Server[] = [];
    try {
      await this.#start({ started, caches, runnables, election, leaders });
      await aborted(this.#stop.signal);
    } catch (error) {
      if (!this.#stop.signal.aborted) {
        fail(error instanceof Error ? error : new Error(String(error)));
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      await this.#stopAll([
        () => leaders.stop(),
        () => election.stop(),
        () => runnables.stop(),
        () => caches.stop(),
        ...started.reverse().map((server) => () => server.stop()),
      ]);
    }
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
  }

  async #start(parts: {
    started: Server[];
    caches: Group;
    runnables: Group;
    election: Group;
    leaders: Group;
  }): Promise<void> {
    for (const server of this.#servers) {
      await server.start();
      parts.started.push(server);
    }
    await this.#options.prepare?.(this.#stop.signal);
    for (const cache of this.#caches) {
      parts.caches.start({ name: cache.name, run: (signal) => cache.run(signal) });
    }
    await Promise.all(this.#caches.map((cache) => cache.waitForSync(this.#stop.signal)));
    this.#log.info({ caches: this.#caches.length }, 'caches are complete');
    startAll(parts.runnables, this.#runnables);
    const { elector } = this.#options;
    if (elector === undefined) {
      startAll(parts.leaders, this.#leaderOnly);
      return;
    }
    const callbacks = {
      onElected: () => {
        if (!this.#stop.signal.aborted) {
          startAll(parts.leaders, this.#leaderOnly);
        }
      },
      onLost: () => this.#options.exit(1),
    };
    parts.election.start({ name: 'leader election', run: (signal) => elector.run(signal, callbacks) });
  }

  async #stopAll(steps: readonly (() => Promise<void>)[]): Promise<void> {
    const timeoutMs = this.#options.stopTimeoutMs ?? 30_000;
    const late = Promise.withResolvers<void>();
    const cancel = this.#clock.setTimeout(() => late.resolve(), timeoutMs);
    let inTime = false;
    const all = (async () => {
      for (const step of steps) {
        await step();
      }
      inTime = true;
    })();
    await Promise.race([all, late.promise]);
    cancel();
    if (!inTime) {
      this.#failure ??= new Error(`the parts did not stop within ${timeoutMs} ms`);
    }
  }
}

function startAll(group: Group, runnables: readonly Runnable[]): void {
  for (const runnable of runnables) {
    group.start({ name: runnable.name, run: (signal) => runnable.run(signal) });
  }
}
