import type { EngineSettings } from '../api/engine-settings.ts';
import type { InferenceModelSpec } from '../api/inference-model.ts';
import type { InferencePoolSpec } from '../api/inference-pool.ts';

/** The parts of pool and model that are needed to resolve an engine. */
export interface EngineInput {
  pool: { metadata: { name: string; namespace?: string }; spec: InferencePoolSpec };
  model: { metadata: { name: string; namespace?: string }; spec: InferenceModelSpec };
}

function isSet(settings: EngineSettings | undefined, path: string): boolean {
  const found = path
    .split('.')
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], settings);
  return found !== undefined;
}

/** Path of an engine setting for messages: in the model, unless only the pool sets it. */
export function settingField(input: EngineInput, path: string): string {
  const inherited = !isSet(input.model.spec.engine, path) && isSet(input.pool.spec.engine, path);
  return `spec.engine.${path}${inherited ? ` of InferencePool ${input.pool.metadata.name}` : ''}`;
}
