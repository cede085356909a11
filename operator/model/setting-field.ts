import type { InferenceModelSpec } from '../api/inference-model.ts';
import type { InferencePoolSpec } from '../api/inference-pool.ts';
import { valueAt } from '../values/value-at.ts';
import type { NamedProfile } from './named-profile.ts';

/** The parts of pool and model that are needed to resolve an engine. */
export interface EngineInput {
  pool: { metadata: { name: string; namespace?: string }; spec: InferencePoolSpec };
  model: { metadata: { name: string; namespace?: string }; spec: InferenceModelSpec };
  /** The profile whose settings apply where neither sets one. */
  profile?: NamedProfile;
}

/** Path of an engine setting for messages: in the model, unless only the pool or the profile sets it. */
export function settingField(input: EngineInput, path: string): string {
  const keys = path.split('.');
  const { pool, model, profile } = input;
  const ofPool = ` of InferencePool ${pool.metadata.name}`;
  if (valueAt(model.spec.engine, keys) !== undefined) return `spec.engine.${path}`;
  if (valueAt(pool.spec.engine, keys) !== undefined) return `spec.engine.${path}${ofPool}`;
  if (valueAt(profile?.settings, keys) === undefined) return `spec.engine.${path}`;
  return profile?.isOwn
    ? `spec.engine.profiles[name=${profile.name}].settings.${path}${ofPool}`
    : `spec.engine.${path} by profile ${profile?.name}`;
}
