/** What speaks against a pod template or a cache, beyond what the schema can say. */
import { posix } from 'node:path';
import type { InferenceModelSpec } from '../api/inference-model.ts';
import { committedMemoryGiB } from './host-memory.ts';
import { MODEL_MOUNT } from './model-source.ts';
import type { ResolvedEngine } from './resolved-engine.ts';
import type { SpecIssue } from './spec-issue.ts';
import { GIB, quantityValue } from './units.ts';

/** Home of the user `vllm` in vLLM's images: downloads, compiled kernels and CUDA graphs are below its .cache. */
export const ENGINE_HOME = '/home/vllm';

const RESERVED_VOLUMES: ReadonlySet<unknown> = new Set(['home', 'model', 'shm', 'tmp']);
const RESERVED_MOUNTS: ReadonlySet<string> = new Set([ENGINE_HOME, MODEL_MOUNT, '/dev/shm', '/tmp']);

function checkVolumes(spec: InferenceModelSpec): SpecIssue[] {
  const template = spec.template;
  const names = (template?.volumes ?? []).map(({ name }) => name);
  return [
    ...names.flatMap((name, at): SpecIssue[] => {
      if (typeof name === 'string' && !RESERVED_VOLUMES.has(name) && names.indexOf(name) === at) return [];
      const field = `spec.template.volumes[${at}].name`;
      const reason = 'a volume needs a name of its own, and home, model, shm and tmp belong to the operator';
      return [{ field, value: name, reason, remedy: 'choose another name' }];
    }),
    ...(template?.volumeMounts ?? []).flatMap(({ mountPath, name }, at): SpecIssue[] => {
      const path = typeof mountPath === 'string' ? posix.resolve('/', mountPath) : '/';
      const field = `spec.template.volumeMounts[${at}]`;
      if (path === '/' || RESERVED_MOUNTS.has(path)) {
        const reason = 'the path is missing or one that the operator mounts itself';
        return [{ field: `${field}.mountPath`, value: mountPath, reason, remedy: 'choose another path' }];
      }
      if (names.includes(name) || RESERVED_VOLUMES.has(name)) return [];
      const reason = 'there is no volume of that name';
      return [{ field: `${field}.name`, value: name, reason, remedy: 'add it to spec.template.volumes' }];
    }),
  ];
}

function checkMemory(engine: ResolvedEngine, spec: InferenceModelSpec): SpecIssue[] {
  const limit = spec.template?.resources?.limits?.memory;
  const committed = committedMemoryGiB(engine);
  if (limit === undefined || quantityValue(limit) > committed * GIB) return [];
  return [
    {
      field: 'spec.template.resources.limits.memory',
      value: limit,
      reason: `/dev/shm and swap space alone count ${committed} GiB against it`,
      remedy: `set more than ${committed}Gi, or lower engine.pagedAttention.swapSpaceGiB`,
    },
  ];
}

/** Most replicas that scaling may ask for. */
function maxReplicas({ scaling }: InferenceModelSpec): number {
  return Math.max(scaling?.replicas ?? 1, scaling?.maxReplicas ?? 1, scaling?.minReplicas ?? 1);
}

function checkCache(spec: InferenceModelSpec): SpecIssue[] {
  const claim = spec.model.cache?.pvc;
  if (claim?.size === undefined || maxReplicas(spec) <= 1) return [];
  const modes = claim.accessModes ?? ['ReadWriteOnce'];
  if (modes.includes('ReadWriteMany')) return [];
  return [
    {
      field: 'spec.model.cache.pvc.accessModes',
      value: modes,
      reason: `up to ${maxReplicas(spec)} replicas share the claim, and only one node may mount it`,
      remedy: 'set accessModes to [ReadWriteMany] with a StorageClass that has it, or use emptyDir',
    },
  ];
}

/** Issues of everything that is rendered beside the engine's own settings. */
export function checkTemplate(engine: ResolvedEngine, spec: InferenceModelSpec): SpecIssue[] {
  return [...checkVolumes(spec), ...checkMemory(engine, spec), ...checkCache(spec)];
}
