/** Advises a model by the record of what it used: what the command and the controllers do alike. Pure. */
import type { InferencePool } from '../api/types.ts';
import type { ResolvedModel } from '../model/resolved-model.ts';
import { emptyLedger, type Ledger } from '../usage/ledger.ts';
import { type Advised, advise } from './advise.ts';
import { type Evidence, evidenceOf } from './evidence.ts';

/** Where a model is, and what is known of it. */
export interface Recorded {
  /** All pools. */
  pools: Iterable<InferencePool>;
  /** Whether a pool admits the namespace of the model. */
  admits: (pool: InferencePool) => boolean;
  /** Number of models that name its pool. */
  users: number;
  /** The record of its namespace in its pool; undefined if there is none. */
  ledger: Ledger | undefined;
}

/** Other pools that are looked at. Each takes a resolution, and anybody may let their pools admit all namespaces. */
const MAX_OTHER_POOLS = 50;

/** Advice for a model that runs, and what it is from. `now` is in milliseconds since 1970. */
export function adviseRecorded(
  model: ResolvedModel,
  { pools, admits, users, ledger }: Recorded,
  now: number,
): Advised & { evidence: Evidence } {
  const { namespace = '', name, creationTimestamp = '' } = model.model.metadata;
  const evidence = evidenceOf(
    ledger ?? emptyLedger(namespace),
    { name, created: Date.parse(creationTimestamp) || 0, accelerators: model.accelerator.count },
    now,
  );
  const otherPools = [...pools]
    .filter((pool) => pool.metadata.uid !== model.pool.metadata.uid && admits(pool))
    .slice(0, MAX_OTHER_POOLS);
  return { evidence, ...advise({ ...model, otherPools, isAlone: users === 1 }, evidence) };
}
