/** Advises all models once an hour, by the record of their usage. Runs in the leader only. */
import { isDeepStrictEqual } from 'node:util';
import { adviseRecorded } from '../../advice/advise-recorded.ts';
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import { type Clock, sleep } from '../../kube/clock.ts';
import { keyOf } from '../../kube/key.ts';
import type { Logger } from '../../kube/logger.ts';
import { PerObject } from '../../kube/per-object.ts';
import { poolKeyOf } from '../../model/pool-key.ts';
import type { Ledger } from '../../usage/ledger.ts';
import { HOUR_MS } from '../../usage/periods.ts';
import type { Assessments } from '../acceptance/assessments.ts';
import { admits } from '../shared/admitted-namespaces.ts';
import type { ClusterState } from '../shared/cluster-state.ts';
import type { AdviceStatuses } from './advice-statuses.ts';
import type { UsageStatuses } from './usage-statuses.ts';

/** Time in which the recorder accounts usage for the first time after a start. */
const FIRST_MS = 2 * 60_000;

/** Pause after each model: at most ten status writes a second, and nothing else waits for thousands of models. */
const PAUSE_MS = 100;

export interface AdviserOptions {
  state: ClusterState;
  assessments: Pick<Assessments, 'of'>;
  usage: Pick<UsageStatuses, 'of'>;
  advice: AdviceStatuses;
  /** Records of a pool by namespace. */
  ledgersOf: (pool: InferencePool) => ReadonlyMap<string, Ledger>;
  clock: Clock;
  log: Logger;
}

interface Seen {
  usage: string | undefined;
  generation: number | undefined;
  pool: string | undefined;
  poolGeneration: number | undefined;
  hasRecord: boolean;
}

export class Adviser {
  readonly name = 'advice';
  readonly #options: AdviserOptions;
  /** What the last advice for a model is from. */
  readonly #seen: PerObject<Seen>;

  constructor(options: AdviserOptions) {
    this.#options = options;
    this.#seen = new PerObject(options.state.models.store);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const pause = (ms: number) => sleep(ms, { clock, signal });
    try {
      for (let wait = FIRST_MS; ; wait = HOUR_MS) {
        await pause(wait);
        await this.#round(() => pause(PAUSE_MS));
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #round(pause: () => Promise<void>): Promise<void> {
    const { state, log } = this.#options;
    for (const key of state.models.store.list().map(keyOf)) {
      const model = state.models.store.get(key);
      try {
        const seen = model && this.#seenOf(model);
        if (!seen || isDeepStrictEqual(seen, this.#seen.get(model.metadata.uid))) continue;
        this.#advise(model);
        this.#seen.set(model.metadata.uid, seen);
      } catch (error) {
        // A fault that one model triggers must not keep the others from advice.
        log.warn({ err: error, model: key }, 'this model gets no new advice; trying again in an hour');
      }
      await pause();
    }
  }

  /** What advice depends on. The usage of a model that uses nothing stays as it is. */
  #seenOf(model: InferenceModel): Seen {
    const { state, usage, ledgersOf } = this.#options;
    const { namespace = '', generation } = model.metadata;
    const pool = state.pools.store.get(poolKeyOf(model));
    return {
      usage: usage.of(model)?.time,
      generation,
      pool: pool?.metadata.uid,
      poolGeneration: pool?.metadata.generation,
      hasRecord: pool !== undefined && ledgersOf(pool).has(namespace),
    };
  }

  /** A model that cannot run gets none: its conditions say why. Without a record the status stays as the last leader left it. */
  #advise(model: InferenceModel): void {
    const { state, assessments, advice, ledgersOf, clock } = this.#options;
    const assessment = assessments.of(model);
    if (assessment.kind === 'blocked') {
      advice.set(model, []);
      return;
    }
    const { pool } = assessment.model;
    const { namespace = '' } = model.metadata;
    const ledger = ledgersOf(pool).get(namespace);
    if (!ledger) return;
    const recorded = {
      pools: state.pools.store.list(),
      admits: (each: InferencePool) => admits(state, each, namespace),
      users: state.models.store.byIndex('byPool', keyOf(pool)).length,
      ledger,
    };
    advice.set(model, adviseRecorded(assessment.model, recorded, clock.now()).advice);
  }
}
