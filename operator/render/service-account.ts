import type { InferenceModel, InferencePool } from '../api/types.ts';
import type { Labels } from './labels.ts';
import { child, type Manifest } from './manifest.ts';

/** A ServiceAccount without permissions whose token is not mounted. */
export function renderServiceAccount(
  owner: InferenceModel | InferencePool,
  name: string,
  labels: Labels,
): Manifest {
  const type = { apiVersion: 'v1', kind: 'ServiceAccount' };
  return child(owner, type, { name, labels }, { automountServiceAccountToken: false });
}
