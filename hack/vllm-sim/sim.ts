/** State of one simulated engine process: its cores, adapters, sleep and failures. */
import type { IncomingMessage } from 'node:http';
import type { SimClock } from './clock.ts';
import { pause } from './clock.ts';
import { Engine } from './engine/engine.ts';
import type { Sequence, SequenceRequest } from './engine/sequence.ts';
import type { FailureSwitches } from './failures.ts';
import { EngineMetrics, type EngineSeries } from './metrics/engine-metrics.ts';
import { HttpMetrics } from './metrics/http-metrics.ts';
import type { LoraAdapter, SimSettings } from './settings.ts';

/** How the engine can crash: process exit, SIGKILL, or its core running out of memory. */
export type Crash = 'exit' | 'kill' | 'oom';

/** A received API request, for tests of what a router forwards. */
export interface SeenRequest {
  method: string;
  path: string;
  headers: Record<string, string | string[] | undefined>;
}

/** Number of recent requests that are stored. */
const RECENT = 32;

export interface SimDependencies {
  clock: SimClock;
  /** 0 to 1, as Math.random. */
  random: () => number;
  log: (line: string) => void;
  crash: (kind: Crash) => void;
}

export class Sim {
  readonly settings: SimSettings;
  readonly clock: SimClock;
  readonly random: () => number;
  readonly log: (line: string) => void;
  readonly metrics: EngineMetrics;
  readonly httpMetrics = new HttpMetrics();
  readonly adapters = new Map<string, LoraAdapter>();
  readonly startedAt = Math.floor(Date.now() / 1000);
  failures: FailureSwitches;
  /** Serving, or draining after SIGTERM, or its core has died. */
  status: 'serving' | 'draining' | 'dead' = 'serving';
  /** 0 is awake. */
  sleepLevel = 0;
  paused = false;
  /** Requests in progress, for /load. */
  load = 0;
  /** API requests since the start. */
  received = 0;
  readonly recent: SeenRequest[] = [];
  readonly crash: (kind: Crash) => void;
  readonly #cores: { engine: Engine; series: EngineSeries }[];

  constructor(
    settings: SimSettings,
    failures: FailureSwitches,
    { clock, random, log, crash }: SimDependencies,
  ) {
    this.settings = settings;
    this.failures = failures;
    this.clock = clock;
    this.random = random;
    this.log = log;
    this.crash = crash;
    this.metrics = new EngineMetrics(settings);
    this.#cores = Array.from({ length: settings.dataParallel }, (_, index) => {
      const series = this.metrics.engine(index);
      return { series, engine: new Engine(settings, clock, series) };
    });
    for (const adapter of settings.lora.adapters) {
      this.adapters.set(adapter.name, adapter);
    }
    this.applyFailures(failures);
  }

  get engines(): Engine[] {
    return this.#cores.map(({ engine }) => engine);
  }

  get running(): number {
    return this.engines.reduce((sum, engine) => sum + engine.runningCount, 0);
  }

  get waiting(): number {
    return this.engines.reduce((sum, engine) => sum + engine.waitingCount, 0);
  }

  /** Gives a sequence to the least loaded core; the result aborts it. */
  submit(request: SequenceRequest): () => void {
    const weight = (engine: Engine): number => engine.waitingCount * 4 + engine.runningCount;
    let best = this.engines[0];
    for (const engine of this.engines) {
      best = best === undefined || weight(engine) < weight(best) ? engine : best;
    }
    const engine = best;
    const sequence: Sequence | undefined = engine?.submit(request);
    return () => {
      if (sequence !== undefined) {
        engine?.abort(sequence);
      }
    };
  }

  /** The `system_fingerprint` of answers. */
  get fingerprint(): string {
    return `vllm-${this.settings.version}-${'00000000'}`;
  }

  /** A random id of 32 hex digits. */
  requestId(): string {
    return Array.from({ length: 8 }, () =>
      Math.floor(this.random() * 65536)
        .toString(16)
        .padStart(4, '0'),
    ).join('');
  }

  /** Stores method, path and headers of a request, without credentials. */
  record(request: IncomingMessage): void {
    this.received += 1;
    const { authorization, ...headers } = request.headers;
    this.recent.push({
      method: request.method ?? '',
      path: request.url ?? '',
      headers: authorization === undefined ? headers : { ...headers, authorization: 'present' },
    });
    if (this.recent.length > RECENT) {
      this.recent.shift();
    }
  }

  applyFailures(failures: FailureSwitches): void {
    this.failures = failures;
    for (const engine of this.engines) {
      engine.slowFactor = failures.slowFactor;
    }
    this.#applyPause();
  }

  /** Level 1 keeps the weights in host memory, level 2 drops them; the KV cache is lost in both. */
  async sleep(level: number, mode: string, signal?: AbortSignal): Promise<void> {
    if (mode === 'wait') {
      await Promise.all(this.engines.map((engine) => engine.whenIdle()));
    } else if (mode === 'abort') {
      this.abortAll();
    }
    await this.#simulated(this.settings.timing.wakeSeconds / 2, signal);
    this.sleepLevel = level;
    this.#applyPause();
    for (const { engine, series } of this.#cores) {
      engine.pool.reset();
      series.sleep(level === 0 ? 'awake' : level === 1 ? 'weights_offloaded' : 'discard_all');
    }
  }

  async wake(signal?: AbortSignal): Promise<void> {
    await this.#simulated(this.settings.timing.wakeSeconds, signal);
    this.sleepLevel = 0;
    this.#applyPause();
    for (const { series } of this.#cores) {
      series.sleep('awake');
    }
  }

  setPaused(paused: boolean): void {
    this.paused = paused;
    this.#applyPause();
  }

  abortAll(reason: 'abort' | 'error' = 'abort'): void {
    for (const engine of this.engines) {
      engine.abortAll(reason);
    }
  }

  /** The core dies: whatever is in flight fails, /health answers 503, and the process follows by its watchdog. */
  die(): void {
    this.status = 'dead';
    this.abortAll('error');
    this.#applyPause();
  }

  async whenIdle(): Promise<void> {
    await Promise.all(this.engines.map((engine) => engine.whenIdle()));
  }

  /** Brings gauges up to date and gives the exposition. */
  exposition(): string {
    const used = this.engines.map((engine) => engine.adapters());
    this.metrics.adapters([...new Set(used.flatMap(([a]) => a))], [...new Set(used.flatMap(([, b]) => b))]);
    for (const engine of this.engines) {
      engine.report();
    }
    return this.metrics.render() + this.httpMetrics.render();
  }

  #applyPause(): void {
    const stop =
      this.sleepLevel > 0 ||
      this.paused ||
      this.failures.stall ||
      this.failures.hang ||
      this.status === 'dead';
    for (const engine of this.engines) {
      if (stop) {
        engine.pause();
      } else {
        engine.resume();
      }
    }
  }

  #simulated(seconds: number, signal?: AbortSignal): Promise<void> {
    return pause(this.clock, seconds * 1000 * this.settings.timing.scale, signal);
  }
}
