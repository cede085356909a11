/** What speculative decoding loads besides the model. */
import type { KnownModel } from '../vllm/models.ts';
import type { MergedEngine } from './merged-engine.ts';

/** Methods that propose tokens from the text alone. */
const WITHOUT_MODEL: ReadonlySet<string> = new Set(['ngram', 'ngram_gpu', 'suffix']);
/** Methods whose heads have no KV cache of their own. */
const WITHOUT_CACHE: ReadonlySet<string> = new Set(['medusa', 'mlp_speculator']);
/** Methods with a head of one layer that is shaped like those of the model: EAGLE, and the layer that some models come with. */
const ONE_LAYER = /^(eagle3?|mtp|.+_mtp)$/;

/**
 * The draft model of an engine: by its facts or the catalog, or for methods with one layer estimated from the model.
 * Undefined without one, and where nothing is known about it (see `isDraftUnknown`).
 */
export function draftOf({ settings, draft }: MergedEngine, model: KnownModel): KnownModel | undefined {
  const { method } = settings.speculative ?? {};
  if (method === undefined || WITHOUT_MODEL.has(method)) return undefined;
  if (draft !== undefined) return WITHOUT_CACHE.has(method) ? { ...draft, cachedLayers: 0 } : draft;
  if (!ONE_LAYER.test(method)) return undefined;
  const { sliding: _, cachedLayers: __, weightsGiB, ...shape } = model;
  return {
    ...shape,
    layers: 1,
    parametersBillions: model.parametersBillions / model.layers,
    ...(weightsGiB !== undefined && { weightsGiB: weightsGiB / model.layers }),
  };
}

/** Whether an engine has a draft model that is not in the plan. */
export function isDraftUnknown(engine: MergedEngine, model: KnownModel): boolean {
  const { method } = engine.settings.speculative ?? {};
  return method !== undefined && !WITHOUT_MODEL.has(method) && draftOf(engine, model) === undefined;
}
