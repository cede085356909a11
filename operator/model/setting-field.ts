import type { InferenceModelSpec } from '../api/inference-model.ts';
import type { InferencePoolSpec } from '../api/inference-pool.ts';
import { valueAt } from '../values/value-at.ts';

/** The parts of pool and model that are needed to resolve an engine. */
export interface EngineInput {
  pool: { metadata: { name: string; namespace?: string }; spec: InferencePoolSpec };
  model: { metadata: { name: string; namespace?: string }; spec: InferenceModelSpec };
}

/** Path of an engine setting for messages: in the model, unless only the pool sets it. */
export function settingField(input: EngineInput, path: string): string {
  const keys = path.split('.');
  const own = valueAt(input.model.spec.engine, keys);
  const inherited = own === undefined && valueAt(input.pool.spec.engine, keys) !== undefined;
  return `spec.engine.${path}${inherited ? ` of InferencePool ${input.pool.metadata.name}` : ''}`;
}
