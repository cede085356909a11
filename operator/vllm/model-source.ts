/** Where the weights come from, and what vLLM is told as its model. */

/** A directory of the pod that the weights of a claim or an image are mounted at. */
export const MODEL_MOUNT = '/models';

export type ModelSource =
  | { kind: 'hf'; argument: string }
  | { kind: 's3' | 'gs'; argument: string }
  | { kind: 'pvc'; argument: string; claimName: string }
  | { kind: 'oci'; argument: string; image: string }
  | { kind: 'file'; argument: string };

/**
 * Reads `spec.model.source`, which the schema has checked for its form.
 * Throws RangeError for another scheme, and for a claim path that leaves its volume.
 */
export function parseModelSource(source: string): ModelSource {
  const [scheme, rest] = source.split(/:\/\/(.*)/s);
  if (rest === undefined || rest === '') throw new RangeError(`not a model source: ${source}`);
  switch (scheme) {
    case 'hf':
      return { kind: 'hf', argument: rest };
    case 's3':
    case 'gs':
      return { kind: scheme, argument: source };
    case 'oci':
      return { kind: 'oci', argument: MODEL_MOUNT, image: rest };
    case 'pvc': {
      const [claimName = '', ...path] = rest.split('/').filter((part) => part !== '');
      if (path.includes('..')) throw new RangeError('the path leaves the claim');
      return { kind: 'pvc', argument: [MODEL_MOUNT, ...path].join('/'), claimName };
    }
    case 'file': {
      const path = rest.split('/').filter((part) => part !== '');
      if (!rest.startsWith('/') || path.length === 0) throw new RangeError(`not an absolute path: ${source}`);
      return { kind: 'file', argument: `/${path.join('/')}` };
    }
    default:
      throw new RangeError(`not a model source: ${source}`);
  }
}

/**
 * A source as vLLM takes it where it looks a model up by itself, such as an adapter or a draft model: `hf://org/name` and
 * `file:///path` without their schemes, everything else as it is.
 */
export function hubIdOrPath(source: string): string {
  return source.replace(/^hf:\/\//, '').replace(/^file:\/\/(?=\/)/, '');
}

/** The part of a source that may name a known model: the last of its path. */
export function modelBaseName(source: string): string {
  return source.slice(source.lastIndexOf('/') + 1);
}
