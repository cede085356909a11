/** What the engine container asks for. */
import type { InferenceModel } from '../api/types.ts';
import type { ResolvedEngine } from '../model/resolved-engine.ts';
import { mergeResources } from './resources.ts';

/**
 * Accelerators, which Kubernetes gives whole and as limits equal to requests; CPU and memory from the catalog, or as the
 * template says. Memory is limited to what is requested, CPU not at all: throttling an engine delays every token.
 */
export function engineResources(engine: ResolvedEngine, model: InferenceModel): object {
  const { accelerator } = engine;
  const memory = `${engine.memoryGiB}Gi`;
  const cpu = String(accelerator.cpu * accelerator.count);
  const { requests, limits } = mergeResources(
    { requests: { cpu, memory }, limits: { memory } },
    model.spec.template?.resources,
  );
  const accelerators = {
    ...accelerator.furtherResources,
    ...(accelerator.resourceName === undefined
      ? {}
      : { [accelerator.resourceName]: String(accelerator.count) }),
  };
  return { requests: { ...requests, ...accelerators }, limits: { ...limits, ...accelerators } };
}
