/** The child types that models and pools have in common, and the applier that writes them. */
import { Applier, type ChildType } from '../../kube/applier.ts';
import { OWN, type Permission } from '../../kube/permission.ts';
import {
  DEPLOYMENTS,
  NETWORK_POLICIES,
  POD_DISRUPTION_BUDGETS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from '../../kube/resource-types.ts';
import { FIELD_MANAGER, noteReplicasOwner } from './cluster-state.ts';
import type { OperatorContext } from './context.ts';

const SHARED_TYPES = [DEPLOYMENTS, SERVICES, SERVICE_ACCOUNTS, POD_DISRUPTION_BUDGETS, NETWORK_POLICIES];

export const CHILDREN_PERMISSIONS: readonly Permission[] = SHARED_TYPES.map((type) => ({ type, verbs: OWN }));

/** Applies and prunes the children of one owner kind: the common types and `more`. */
export function createApplier(context: OperatorContext, more: readonly ChildType[]): Applier {
  const { client, tracker, log, registry, state } = context;
  return new Applier({
    client,
    fieldManager: FIELD_MANAGER,
    hashAnnotation: 'vllm-operator.dev/applied-hash',
    tracker,
    log,
    registry,
    children: [
      { type: DEPLOYMENTS, store: state.deployments.store, transform: noteReplicasOwner },
      { type: SERVICES, store: state.services.store },
      { type: SERVICE_ACCOUNTS, store: state.serviceAccounts.store },
      { type: POD_DISRUPTION_BUDGETS, store: state.disruptionBudgets.store },
      { type: NETWORK_POLICIES, store: state.networkPolicies.store },
      ...more,
    ],
  });
}
