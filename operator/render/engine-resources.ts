/** What the engine container asks for. */
import type { InferenceModel } from '../api/types.ts';
import { committedMemoryGiB } from '../engine/host-memory.ts';
import type { ResolvedEngine } from '../engine/resolved-engine.ts';
import { quantityValue } from '../engine/units.ts';

/**
 * Accelerators, which Kubernetes gives whole and as limits equal to requests; CPU and memory from the catalog, or as the
 * template says. Memory is limited to what is requested, CPU not at all: throttling an engine delays every token.
 */
export function engineResources(engine: ResolvedEngine, model: InferenceModel): object {
  const { accelerator } = engine;
  const accelerators = { [accelerator.resourceName]: String(accelerator.count) };
  const memory = `${accelerator.hostMemoryGiB * accelerator.count + committedMemoryGiB(engine)}Gi`;
  const asked = model.spec.template?.resources;
  const requests = {
    cpu: String(accelerator.cpu * accelerator.count),
    memory: lower(asked?.limits?.memory, memory),
    ...asked?.requests,
    ...accelerators,
  };
  const limits = { memory: requests.memory, ...asked?.limits, ...accelerators };
  return { requests, limits };
}

/** A limit below the default request takes the request down with it. */
function lower(limit: string | undefined, request: string): string {
  return limit !== undefined && quantityValue(limit) < quantityValue(request) ? limit : request;
}
