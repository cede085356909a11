/** What a model asks of its pool, and what the pool has given to it. */
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import { planMemory } from '../../model/memory-plan.ts';
import { mergeAdapters } from '../../model/merge-settings.ts';
import { mostReplicas } from '../../model/replica-bounds.ts';
import { resolveEngine } from '../../model/settings.ts';
import { boundsAt } from '../../scaling/bounds.ts';
import { ScheduleError } from '../../scaling/cron-edge.ts';
import { InvalidSpecError } from '../../values/spec-issue.ts';

/** What a model holds in a pool until it asks for something else and gets it, or is gone. */
export interface Grant {
  /** Names in the OpenAI API, those of LoRA adapters included. */
  readonly names: readonly string[];
  /** Replicas whose accelerators are charged. */
  readonly replicas: number;
}

/** Names under which a model answers in the OpenAI API, LoRA adapters included. */
export function servedNames(model: InferenceModel, pool?: InferencePool): string[] {
  const adapters = mergeAdapters(pool?.spec.engine, model.spec.engine);
  const names = model.spec.model.servedNames ?? [model.metadata.name];
  return [...new Set([...names, ...adapters.map(({ name }) => name)])];
}

/**
 * The most replicas that a model may have at once, which is what it is charged without overcommit. Somebody else's number
 * is bound by `maxReplicas` alone; where that is not set, the present number is charged.
 */
export function maxReplicas({ spec: { scaling, suspend } }: InferenceModel): number {
  if (suspend) return 0;
  if (scaling?.mode === 'External')
    return scaling.maxReplicas === undefined ? (scaling.replicas ?? 1) : mostReplicas(scaling);
  return scaling?.replicas ?? mostReplicas(scaling);
}

/** What a model asks of the pool. */
export function claimOf(pool: InferencePool, model: InferenceModel): Grant {
  return { names: servedNames(model, pool), replicas: maxReplicas(model) };
}

/** Whether the spec could run in the pool, at a moment in milliseconds since 1970. One that cannot is given nothing. */
export function isRunnable(pool: InferencePool, model: InferenceModel, now: number): boolean {
  try {
    boundsAt(model.spec.scaling, now);
    return planMemory(resolveEngine(pool, model))?.issue === undefined;
  } catch (error) {
    if (error instanceof InvalidSpecError || error instanceof ScheduleError) return false;
    throw error;
  }
}
