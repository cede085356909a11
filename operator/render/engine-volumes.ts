/** Volumes of engine pods. The root file system is read-only, so they contain everything that vLLM writes. */
import type { InferenceModel } from '../api/types.ts';
import type { ResolvedEngine } from '../model/resolved-engine.ts';
import {
  ENGINE_HOME,
  operatorVolumes,
  SHARED_MEMORY_MOUNT,
  TEMPORARY_MOUNT,
} from '../model/template-volumes.ts';
import { MODEL_MOUNT } from '../vllm/model-source.ts';
import { modelCacheName } from './names.ts';
import { storedVolume } from './stored-form.ts';

interface PodVolume {
  volume: Record<string, unknown>;
  mount: { name: string } & Record<string, unknown>;
}

function homeVolume(model: InferenceModel): PodVolume {
  const cache = model.spec.model.cache;
  const source =
    cache?.pvc === undefined
      ? { emptyDir: { ...cache?.emptyDir } }
      : { persistentVolumeClaim: { claimName: cache.pvc.claimName ?? modelCacheName(model.metadata.name) } };
  return { volume: { name: 'home', ...source }, mount: { name: 'home', mountPath: ENGINE_HOME } };
}

function modelVolume(engine: ResolvedEngine): PodVolume[] {
  const mount = { name: 'model', mountPath: MODEL_MOUNT, readOnly: true };
  const { source } = engine;
  if (source.kind === 'pvc') {
    const claim = { claimName: source.claimName, readOnly: true };
    return [{ volume: { name: 'model', persistentVolumeClaim: claim }, mount }];
  }
  if (source.kind === 'oci') {
    const image = { reference: source.image, pullPolicy: 'IfNotPresent' };
    return [{ volume: { name: 'model', image }, mount }];
  }
  return [];
}

/** Volumes of the pod and mounts of the engine container; the user's are last. */
export function engineVolumes(
  engine: ResolvedEngine,
  model: InferenceModel,
): { volumes: object[]; volumeMounts: object[] } {
  const shm = { medium: 'Memory', sizeLimit: `${engine.sharedMemoryGiB}Gi` };
  const template = model.spec.template;
  const names = operatorVolumes(engine.source, template);
  const own: PodVolume[] = [
    homeVolume(model),
    ...modelVolume(engine),
    { volume: { name: 'shm', emptyDir: shm }, mount: { name: 'shm', mountPath: SHARED_MEMORY_MOUNT } },
    // Sockets between vLLM's processes, and files of its compilers.
    { volume: { name: 'tmp', emptyDir: {} }, mount: { name: 'tmp', mountPath: TEMPORARY_MOUNT } },
  ].filter(({ mount }) => names.has(mount.name));
  return {
    volumes: [...own.map(({ volume }) => volume), ...(template?.volumes ?? [])].map(storedVolume),
    volumeMounts: [...own.map(({ mount }) => mount), ...(template?.volumeMounts ?? [])],
  };
}
