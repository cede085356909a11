/** Resources of the engine container. */
import type { InferenceModel } from '../api/types.ts';
import type { ResolvedEngine } from '../model/resolved-engine.ts';
import { mergeResources } from './resources.ts';

/**
 * Accelerators, whose limits and requests must be equal in Kubernetes, and CPU and memory from the catalog or the template.
 * Memory is limited to its request. CPU has no limit, because throttling delays every token.
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
