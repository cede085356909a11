/** PersistentVolumeClaims that all engine pods of a model mount, and what their access modes allow. Pure. */
import type { InferenceModelSpec } from '../api/inference-model.ts';
import type { SpecIssue } from '../values/spec-issue.ts';
import { parseModelSource } from '../vllm/model-source.ts';
import { mostReplicas, NO_LIMIT } from './replica-counts.ts';
import type { ResolvedScaling } from './resolved-scaling.ts';

/** A claim in the spec of a model. */
interface SharedClaim {
  field: string;
  /** Name of a claim that a user created; absent for one that the operator creates. */
  name?: string;
  /** Access modes of a claim that the operator creates. */
  modes?: readonly string[];
  readOnly: boolean;
  isCache: boolean;
}

/** Access modes of a claim in the model's namespace; undefined if unknown. */
export type ClaimModes = (claimName: string) => readonly string[] | undefined;

/** The API server requires access modes, so this is the default. */
const DEFAULT_MODES = ['ReadWriteOnce'];

/** Names of the claims in the spec that users created. */
export function claimNames(spec: InferenceModelSpec): string[] {
  return sharedClaims(spec).flatMap(({ name }) => name ?? []);
}

/**
 * Whether only one node or one pod can mount one of the claims. Another replica may then never start, and a rollout has to
 * stop the old pod first.
 */
export function isBoundToOneNode(spec: InferenceModelSpec, modesOf: ClaimModes): boolean {
  return sharedClaims(spec).some((claim) => isSingle(claim, claim.modes ?? modesOf(claim.name ?? '')));
}

/** Issues of claims that do not allow what the spec needs. Claims with unknown access modes are skipped. */
export function checkSharedClaims(
  spec: InferenceModelSpec,
  scaling: ResolvedScaling,
  modesOf: ClaimModes,
): SpecIssue[] {
  const most = mostReplicas(scaling);
  const many =
    most >= NO_LIMIT
      ? 'any number of replicas (mode External without maxReplicas) share'
      : `up to ${most} replicas share`;
  return sharedClaims(spec).flatMap((claim): SpecIssue[] => {
    const modes = claim.modes ?? modesOf(claim.name ?? '');
    if (modes === undefined) return [];
    const value = claim.modes ?? claim.name;
    const shown = `${claim.name === undefined ? 'it' : `claim ${claim.name}`} is ${modes.join(', ')}`;
    if (claim.isCache && modes.every((mode) => mode === 'ReadOnlyMany')) {
      const reason = `${shown}, but a cache has to be writable`;
      const remedy = 'use ReadWriteMany, or mount existing weights with spec.model.source pvc://claim/path';
      return [{ field: claim.field, value, reason, remedy }];
    }
    if (most <= 1 || !isSingle(claim, modes)) return [];
    const reason = `${many} the claim, ${shown}, and only one ${modes.includes('ReadWriteOncePod') ? 'pod' : 'node'} may mount it`;
    return [{ field: claim.field, value, reason, remedy: remedyFor(claim) }];
  });
}

function remedyFor({ modes, readOnly }: SharedClaim): string {
  if (modes !== undefined)
    return 'set accessModes to [ReadWriteMany] with a StorageClass that supports it, use emptyDir, or limit spec.scaling to 1 replica';
  const mode = readOnly ? 'ReadOnlyMany or ReadWriteMany' : 'ReadWriteMany';
  return `use a claim with ${mode}, or limit spec.scaling to 1 replica`;
}

function isSingle({ readOnly }: SharedClaim, modes: readonly string[] | undefined): boolean {
  if (modes === undefined) return false;
  return !modes.includes('ReadWriteMany') && !(readOnly && modes.includes('ReadOnlyMany'));
}

function sharedClaims(spec: InferenceModelSpec): SharedClaim[] {
  return [...cacheClaim(spec), ...sourceClaim(spec), ...templateClaims(spec)];
}

function cacheClaim({ model }: InferenceModelSpec): SharedClaim[] {
  const pvc = model.cache?.pvc;
  if (pvc === undefined) return [];
  const claim = { readOnly: false, isCache: true };
  return [
    pvc.claimName === undefined
      ? { ...claim, field: 'spec.model.cache.pvc.accessModes', modes: pvc.accessModes ?? DEFAULT_MODES }
      : { ...claim, field: 'spec.model.cache.pvc.claimName', name: pvc.claimName },
  ];
}

function sourceClaim({ model }: InferenceModelSpec): SharedClaim[] {
  if (!model.source.startsWith('pvc://')) return [];
  try {
    const source = parseModelSource(model.source);
    if (source.kind !== 'pvc') return [];
    return [{ field: 'spec.model.source', name: source.claimName, readOnly: true, isCache: false }];
  } catch (error) {
    // Another check rejects the source.
    if (error instanceof RangeError) return [];
    throw error;
  }
}

function templateClaims({ template }: InferenceModelSpec): SharedClaim[] {
  return (template?.volumes ?? []).flatMap(({ persistentVolumeClaim }, at): SharedClaim[] => {
    const { claimName, readOnly } = Object(persistentVolumeClaim) as {
      claimName?: unknown;
      readOnly?: unknown;
    };
    if (typeof claimName !== 'string') return [];
    const field = `spec.template.volumes[${at}].persistentVolumeClaim.claimName`;
    return [{ field, name: claimName, readOnly: readOnly === true, isCache: false }];
  });
}
