/** One container that runs vLLM: its command, environment and files, from a pod, a KServe predictor or a compose service. */
import { servedName } from '../../values/scalars.ts';
import { formatVersion, imageVersion, PINNED_VERSION } from '../../vllm/versions.ts';
import {
  type Draft,
  type Fields,
  fieldAt,
  fieldsOf,
  listOf,
  note,
  setField,
  textOf,
  textsOf,
} from './draft.ts';
import { readEngineFlags } from './engine-flags.ts';
import { type LiteralEnv, serveArguments } from './serve-arguments.ts';

/** Variables with a Hugging Face token. */
export const TOKENS: readonly string[] = ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN', 'HUGGINGFACE_HUB_TOKEN'];
/** Variables that say where weights are cached. The operator sets them. */
const CACHES: readonly string[] = ['HF_HOME', 'HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'TRANSFORMERS_CACHE'];
const USUAL_CACHE = '/root/.cache/huggingface';

/** Kinds of volumes that the Pod Security Standard restricted allows, and images, which are read-only. */
const ALLOWED: readonly string[] = [
  ...['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'image', 'persistentVolumeClaim'],
  ...['projected', 'secret'],
];

/** A mount of the container, with the source of its volume as in a Pod. */
export interface Mount {
  mountPath: string;
  subPath: string;
  mount: Fields;
  volume: Fields;
}

/** The variables of a container that have a literal value. */
export function literalEnv(env: unknown): LiteralEnv {
  return new Map(
    listOf(env).flatMap(({ name, value }) =>
      typeof name === 'string' && value !== undefined ? [[name, String(value)]] : [],
    ),
  );
}

/** Carries over image, command and environment of a container, and its mounts. */
export function readContainer(draft: Draft, container: Fields, mounts: readonly Mount[]): void {
  const env = literalEnv(container.env);
  const image = textOf(container.image);
  setField(draft, 'engine.image', image);
  const version = image === undefined ? undefined : imageVersion(image);
  if (image !== undefined && version === undefined) {
    const assumed = formatVersion(PINNED_VERSION);
    setField(draft, 'engine.version', assumed);
    const reason = `its tag does not say which version of vLLM it has, so ${assumed} is assumed`;
    note(
      draft,
      'image',
      image,
      reason,
      'correct spec.engine.version, and check the flags with `vllm-operator validate`',
    );
  }
  const { args, command } = serveArguments(textsOf(container.command), textsOf(container.args), env, draft);
  setField(draft, 'engine.command', command);
  const named = readEngineFlags(draft, args, version ?? PINNED_VERSION);
  readModel(draft, named ?? env.get('MODEL_ID') ?? env.get('MODEL_NAME'), mounts);
  readEnv(draft, container);
  readMounts(draft, mounts, env);
}

/** Sets the source, and the name that clients have used so far. */
export function readModel(draft: Draft, model: string | undefined, mounts: readonly Mount[] = []): void {
  if (model === undefined) {
    note(draft, 'args', undefined, 'no model is named', 'set spec.model.source');
    return;
  }
  setField(draft, 'model.source', sourceOf(model, mounts));
  if (fieldAt(draft, 'model.servedNames') === undefined && servedName.safeParse(model).success)
    setField(draft, 'model.servedNames', [model]);
}

/** An id of the hub, a URL, or a path in a mounted claim or in the container. */
function sourceOf(model: string, mounts: readonly Mount[]): string {
  if (model.includes('://')) return model;
  if (!model.startsWith('/')) return `hf://${model}`;
  const holder = mounts.find(
    ({ mountPath, volume }) => isBelow(model, mountPath) && claimNameOf(volume) !== undefined,
  );
  if (!holder) return `file://${model}`;
  const path = [holder.subPath, model.slice(holder.mountPath.length)].join('/').split('/').filter(Boolean);
  return `pvc://${[claimNameOf(holder.volume), ...path].join('/')}`;
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}

function claimNameOf(volume: Fields): string | undefined {
  return textOf(fieldsOf(volume.persistentVolumeClaim).claimName);
}

function readEnv(draft: Draft, container: Fields): void {
  const kept: Fields[] = [];
  for (const entry of listOf(container.env)) {
    const name = String(entry.name);
    const secret = fieldsOf(fieldsOf(entry.valueFrom).secretKeyRef);
    if (CACHES.includes(name)) continue;
    if (name === 'VLLM_API_KEY') {
      note(
        draft,
        'env.VLLM_API_KEY',
        undefined,
        'routers check keys, and engines get none',
        'use router.auth of the InferencePool (docs/how-to/api-keys.md)',
      );
    } else if (TOKENS.includes(name)) {
      if (textOf(secret.name))
        setField(draft, 'model.tokenSecretRef', { name: secret.name, key: secret.key });
      else
        note(
          draft,
          `env.${name}`,
          undefined,
          'a token does not belong into a manifest',
          'put it into a Secret, and set spec.model.tokenSecretRef',
        );
    } else {
      kept.push(entry.value === undefined ? entry : { ...entry, value: String(entry.value) });
    }
  }
  setField(draft, 'template.env', kept);
  setField(draft, 'template.envFrom', listOf(container.envFrom));
}

/** Sorts the mounts: the weights, their cache, shared memory, and others, which the template gets as they are. */
function readMounts(draft: Draft, mounts: readonly Mount[], env: LiteralEnv): void {
  const caches = [USUAL_CACHE, ...CACHES.flatMap((name) => env.get(name) ?? [])];
  const source = String(fieldAt(draft, 'model.source') ?? '');
  const others: Mount[] = [];
  for (const each of mounts) {
    const { mountPath, volume, mount } = each;
    const claim = claimNameOf(volume);
    const isCache = caches.some((cache) => isBelow(cache, mountPath) || isBelow(mountPath, cache));
    if (claim !== undefined && source.startsWith(`pvc://${claim}`)) continue;
    if (volume.hostPath !== undefined) {
      note(
        draft,
        `volumes.${String(mount.name)}`,
        fieldsOf(volume.hostPath).path,
        'pods do not get files of the node',
        'copy them into a PersistentVolumeClaim, and use spec.model.cache.pvc or a source pvc://',
      );
    } else if (isCache && claim !== undefined) {
      setField(draft, 'model.cache.pvc', { claimName: claim });
      note(
        draft,
        `volumes.${String(mount.name)}`,
        claim,
        'engines look in .cache/huggingface of the claim for weights of the hub',
        'move them there, or let the first engine download them again',
      );
      if (each.subPath !== '')
        note(
          draft,
          `volumeMounts.${mountPath}.subPath`,
          each.subPath,
          'the cache is the root of the claim',
          'move the files, or let them be downloaded again',
        );
    } else if (isCache && volume.emptyDir !== undefined) {
      const { sizeLimit } = fieldsOf(volume.emptyDir);
      if (sizeLimit !== undefined) setField(draft, 'model.cache.emptyDir', { sizeLimit: String(sizeLimit) });
    } else if (!ALLOWED.some((kind) => volume[kind] !== undefined)) {
      note(
        draft,
        `volumes.${String(mount.name)}`,
        Object.keys(volume).find((key) => key !== 'name'),
        'the Pod Security Standard restricted forbids volumes of this kind',
        'use a PersistentVolumeClaim',
      );
    } else if (!(mountPath === '/dev/shm' && fieldsOf(volume.emptyDir).sizeLimit === undefined)) {
      others.push(each);
    }
  }
  const volumes = new Map(others.map(({ volume }) => [String(volume.name), volume]));
  setField(draft, 'template.volumes', [...volumes.values()]);
  setField(
    draft,
    'template.volumeMounts',
    others.map(({ mount }) => mount),
  );
}
