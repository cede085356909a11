/** The InferenceModel that a profile is measured with: a copy of a model that nobody uses, with other settings. Pure. */
import { MAX_NAME_LENGTH } from '../api/crd.ts';
import type { InferenceModel } from '../api/types.ts';
import { secondTime } from '../kube/clock.ts';
import { withoutTrailing } from '../kube/without-trailing.ts';
import type { Settings } from './profiles.ts';

/** On candidates, the name of the model that they are copies of. */
export const CANDIDATE_LABEL = 'vllm-operator.dev/tune-of';
/** Until when a candidate is in use unless this is renewed. One whose time is over is a leftover. */
export const IN_USE_UNTIL = 'vllm-operator.dev/tune-until';

const LOWEST_PRIORITY = -1_000_000;
/** A candidate whose command was killed goes to sleep after this time, and so frees its accelerators. */
const IDLE_TIMEOUT = '10m';
/** More than wait at any rate that meets objectives, so that the queue of the model does not limit what is measured. */
const MAX_QUEUE = 2_000;
const PREFIX = 'tune-';

/** The name of the candidate of a model, which is also its name in the OpenAI API. */
export function candidateName(model: string): string {
  return withoutTrailing(`${PREFIX}${model}`.slice(0, MAX_NAME_LENGTH), '-');
}

export interface CandidateOptions {
  settings: Settings;
  /** Milliseconds since the epoch. */
  until: number;
  /** How long the engine may take to start, such as `900s`. */
  wakeTimeout: string;
}

/**
 * The candidate for a profile. It has the lowest priority and may sleep, so that any other model of the pool gets its
 * accelerators first; the model is its owner, so that it goes with it; and nothing is cached or degraded, so that engines are
 * measured. It has no LoRA adapters, because their names belong to the model that serves them.
 */
export function candidateOf(model: InferenceModel, options: CandidateOptions): InferenceModel {
  const { apiVersion, kind, metadata } = model;
  const { name, namespace, uid } = metadata;
  if (namespace === undefined || uid === undefined)
    throw new TypeError(`${kind} ${name} has no namespace or uid: pass the object as the server returned it`);
  const own = candidateName(name);
  return {
    apiVersion,
    kind,
    metadata: {
      name: own,
      namespace,
      labels: { [CANDIDATE_LABEL]: name },
      annotations: { [IN_USE_UNTIL]: secondTime(options.until) },
      ownerReferences: [{ apiVersion, kind, name, uid }],
    },
    spec: specOf(model, own, options),
  };
}

function specOf(
  model: InferenceModel,
  name: string,
  { settings, wakeTimeout }: CandidateOptions,
): InferenceModel['spec'] {
  const spec = structuredClone(model.spec);
  delete spec.engine?.lora?.adapters;
  const base: InferenceModel['spec'] = {
    ...spec,
    model: { ...spec.model, servedNames: [name] },
    scaling: { minReplicas: 0, maxReplicas: 1, idleTimeout: IDLE_TIMEOUT },
    responseCache: { ...spec.responseCache, enabled: false },
    admission: { ...spec.admission, maxQueue: MAX_QUEUE, wakeTimeout, degradation: [] },
    priority: LOWEST_PRIORITY,
    suspend: false,
  };
  for (const [path, value] of Object.entries(settings)) setAt(base, path.split('.'), value);
  return base;
}

/** Sets a field, and creates the objects on the way to it. */
export function setAt(object: object, path: readonly string[], value: unknown): void {
  const [key = '', ...rest] = path;
  const fields = object as Record<string, unknown>;
  if (rest.length === 0) {
    fields[key] = value;
    return;
  }
  const inner = Object.hasOwn(fields, key) ? fields[key] : undefined;
  fields[key] = typeof inner === 'object' && inner !== null ? inner : {};
  setAt(fields[key] as object, rest, value);
}
