import type { InferenceModel, InferencePool } from '../api/types.ts';
import { resolveEngine } from '../model/settings.ts';
import type { ClaimModes } from '../model/shared-claims.ts';
import { renderDisruptionBudget } from './disruption-budget.ts';
import { renderEngineDeployment } from './engine-deployment.ts';
import { renderEngineNetworkPolicy } from './engine-network-policy.ts';
import { renderEngineService } from './engine-service.ts';
import { engineLabels, engineSelector } from './labels.ts';
import type { Cluster, Manifest } from './manifest.ts';
import { renderModelCacheClaim } from './model-cache-claim.ts';
import { engineName } from './names.ts';
import { renderServiceAccount } from './service-account.ts';

export interface ModelInput {
  pool: InferencePool;
  model: InferenceModel;
  cluster: Cluster;
  /** Whether the pool has accelerators for one more replica during a rollout. Default true. */
  roomForSurge?: boolean;
  /** Access modes of claims that users made. Default: none is known. */
  claimModes?: ClaimModes;
}

/**
 * Everything that one model needs in its namespace, in the order to apply it. Pure: the same input gives the same
 * manifests. Throws InvalidSpecError.
 */
export function renderModel({
  pool,
  model,
  roomForSurge = true,
  claimModes = () => undefined,
}: ModelInput): Manifest[] {
  const engine = resolveEngine(pool, model);
  const name = engineName(model.metadata.name);
  const labels = engineLabels(model.metadata, pool.metadata);
  const ownAccount = model.spec.template?.serviceAccountName === undefined;
  return [
    ...(ownAccount ? [renderServiceAccount(model, name, labels)] : []),
    ...renderModelCacheClaim(pool, model),
    renderEngineNetworkPolicy(pool, model),
    renderEngineService(pool, model),
    renderEngineDeployment({ pool, model, engine, roomForSurge, claimModes }),
    renderDisruptionBudget(model, name, labels, engineSelector(model.metadata)),
  ];
}
