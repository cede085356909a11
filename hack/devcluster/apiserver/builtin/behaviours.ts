import type { AddressPool } from '../../network/address-pool.ts';
import { DEFINITIONS } from '../crd/definition-behaviour.ts';
import type { Behaviour } from '../resource.ts';
import { API_SERVICES } from './api-services.ts';
import { AUTOSCALERS } from './autoscalers.ts';
import { EVENTS } from './events.ts';
import { INGRESSES, NETWORK_POLICIES } from './networking.ts';
import { NODES, PODS } from './pods.ts';
import { ROLE_BINDINGS, ROLES } from './rbac-kinds.ts';
import { SECRETS } from './secrets.ts';
import { servicesBehaviour } from './services.ts';
import {
  CLAIMS,
  CONFIG_MAPS,
  DISRUPTION_BUDGETS,
  ENDPOINT_SLICES,
  LEASES,
  NAMESPACES,
  PRIORITY_CLASSES,
} from './simple-kinds.ts';
import { DEPLOYMENTS, REPLICA_SETS } from './workloads.ts';

/** What built-in kinds do beyond storage, by collection. */
export function builtinBehaviours(range: AddressPool): Readonly<Record<string, Behaviour>> {
  return {
    pods: PODS,
    nodes: NODES,
    services: servicesBehaviour(range),
    configmaps: CONFIG_MAPS,
    secrets: SECRETS,
    namespaces: NAMESPACES,
    events: EVENTS,
    persistentvolumeclaims: CLAIMS,
    'apps/deployments': DEPLOYMENTS,
    'apps/replicasets': REPLICA_SETS,
    'networking.k8s.io/ingresses': INGRESSES,
    'autoscaling/horizontalpodautoscalers': AUTOSCALERS,
    'policy/poddisruptionbudgets': DISRUPTION_BUDGETS,
    'networking.k8s.io/networkpolicies': NETWORK_POLICIES,
    'coordination.k8s.io/leases': LEASES,
    'discovery.k8s.io/endpointslices': ENDPOINT_SLICES,
    'rbac.authorization.k8s.io/roles': ROLES,
    'rbac.authorization.k8s.io/clusterroles': ROLES,
    'rbac.authorization.k8s.io/rolebindings': ROLE_BINDINGS,
    'rbac.authorization.k8s.io/clusterrolebindings': ROLE_BINDINGS,
    'scheduling.k8s.io/priorityclasses': PRIORITY_CLASSES,
    'apiextensions.k8s.io/customresourcedefinitions': DEFINITIONS,
    'apiregistration.k8s.io/apiservices': API_SERVICES,
  };
}
