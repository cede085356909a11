import type { ResolvedModel } from '../model/resolved-model.ts';
import type { ClaimModes } from '../model/shared-claims.ts';
import { renderDisruptionBudget } from './disruption-budget.ts';
import { renderEngineDeployment } from './engine-deployment.ts';
import { renderEngineNetworkPolicy } from './engine-network-policy.ts';
import { renderEngineService } from './engine-service.ts';
import { renderHpa } from './hpa.ts';
import type { ImageDefaults } from './image-defaults.ts';
import { engineLabels, engineSelector } from './labels.ts';
import type { Manifest } from './manifest.ts';
import { renderModelCacheClaim } from './model-cache-claim.ts';
import { engineName } from './names.ts';
import { renderServiceAccount } from './service-account.ts';

/** What manifests depend on besides the specs. */
export interface ModelCircumstances {
  /** Whether the pool has accelerators for one more replica during a rollout. Default true. */
  roomForSurge?: boolean;
  /** Access modes of claims that users created. Default: unknown. */
  claimModes?: ClaimModes;
  /** The bounds in force if an HPA scales the model. Default: no HPA. */
  hpa?: { minReplicas: number; maxReplicas: number } | undefined;
  /** Initial replicas. Default: the field is not applied. */
  replicas?: number | undefined;
  /** Images and pull secrets where pool and model name none. */
  images?: ImageDefaults;
}

/** All objects of a model, in apply order. Pure: the same input gives the same manifests. */
export function renderModel(
  resolved: ResolvedModel,
  { roomForSurge = true, claimModes = () => undefined, hpa, replicas, images = {} }: ModelCircumstances = {},
): Manifest[] {
  const { pool, model } = resolved;
  const name = engineName(model.metadata.name);
  const labels = engineLabels(model.metadata, pool.metadata);
  const ownAccount = model.spec.template?.serviceAccountName === undefined;
  return [
    ...(ownAccount ? [renderServiceAccount(model, name, labels)] : []),
    ...renderModelCacheClaim(pool, model),
    renderEngineNetworkPolicy(pool, model),
    renderEngineService(pool, model),
    renderEngineDeployment(resolved, { roomForSurge, claimModes, replicas, images }),
    renderDisruptionBudget(model, name, labels, engineSelector(model.metadata)),
    ...(hpa ? [renderHpa(resolved, hpa)] : []),
  ];
}
