/** How the volumes of a template relate to those that the operator adds to engine pods. */
import { posix } from 'node:path';
import type { InferenceModelSpec } from '../api/inference-model.ts';
import { quantityValue } from '../values/quantity.ts';
import { GIB } from '../values/units.ts';
import { MODEL_MOUNT, type ModelSource } from '../vllm/model-source.ts';

/** Home of the user `vllm` in vLLM's images. Downloads, compiled kernels and CUDA graphs are in .cache below it. */
export const ENGINE_HOME = '/home/vllm';

export const SHARED_MEMORY_MOUNT = '/dev/shm';
export const TEMPORARY_MOUNT = '/tmp';

type Template = InferenceModelSpec['template'];

/** The normalized path of a mount; `/` if it is missing. */
export function mountPath(mount: Readonly<Record<string, unknown>>): string {
  return typeof mount.mountPath === 'string' ? posix.resolve('/', mount.mountPath) : '/';
}

/** The operator's volumes: path by name. A mount of the template replaces /dev/shm and /tmp. */
export function operatorVolumes(source: ModelSource, template: Template): Map<string, string> {
  const replaced = new Set((template?.volumeMounts ?? []).map(mountPath));
  const all: [name: string, path: string, there: boolean][] = [
    ['home', ENGINE_HOME, true],
    ['model', MODEL_MOUNT, source.kind === 'pvc' || source.kind === 'oci'],
    ['shm', SHARED_MEMORY_MOUNT, !replaced.has(SHARED_MEMORY_MOUNT)],
    ['tmp', TEMPORARY_MOUNT, !replaced.has(TEMPORARY_MOUNT)],
  ];
  return new Map(all.filter(([, , there]) => there).map(([name, path]) => [name, path]));
}

/**
 * GiB of pod memory that the template's volume at /dev/shm may use; undefined if there is no such volume or its size is
 * unknown.
 */
export function ownSharedMemoryGiB(template: Template): number | undefined {
  const mount = (template?.volumeMounts ?? []).find((found) => mountPath(found) === SHARED_MEMORY_MOUNT);
  const volume = (template?.volumes ?? []).find(({ name }) => mount !== undefined && name === mount.name);
  if (volume === undefined) return undefined;
  const { medium, sizeLimit } = Object(volume.emptyDir) as { medium?: unknown; sizeLimit?: unknown };
  if (medium !== 'Memory') return 0;
  try {
    return Math.ceil(quantityValue(String(sizeLimit)) / GIB);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
