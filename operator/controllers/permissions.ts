/** All permissions of the operator, collected from the parts that declare them. The RBAC roles are generated from this list. */
import type { Permission } from '../kube/permission.ts';
import { LEASES } from '../kube/resource-types.ts';
import { METRICS_API_PERMISSIONS } from '../metrics-api/setup.ts';
import { AUTHORITY_PERMISSIONS } from '../pki/authority-store.ts';
import { EVACUATION_PERMISSIONS } from './evacuation/setup.ts';
import { MODEL_PERMISSIONS } from './model/setup.ts';
import { POOL_PERMISSIONS } from './pool/setup.ts';
import { ROUTES_PERMISSIONS } from './routes/setup.ts';
import { SCALING_PERMISSIONS } from './scaling/setup.ts';
import { CHILDREN_PERMISSIONS } from './shared/children.ts';
import { CONTEXT_PERMISSIONS } from './shared/context.ts';
import { MOUNT_PERMISSIONS } from './shared/mount-failures.ts';
import { USAGE_PERMISSIONS } from './usage/setup.ts';

/** The Lease that operator replicas in one namespace compete for. */
export const LEASE_NAME = 'vllm-operator';

const ELECTION_PERMISSIONS: readonly Permission[] = [
  { type: LEASES, verbs: ['create'], ownNamespace: true },
  { type: LEASES, verbs: ['get', 'update'], names: [LEASE_NAME], ownNamespace: true },
];

export const PERMISSIONS: readonly Permission[] = [
  ...POOL_PERMISSIONS,
  ...MODEL_PERMISSIONS,
  ...CHILDREN_PERMISSIONS,
  ...ROUTES_PERMISSIONS,
  ...SCALING_PERMISSIONS,
  ...EVACUATION_PERMISSIONS,
  ...CONTEXT_PERMISSIONS,
  ...MOUNT_PERMISSIONS,
  ...USAGE_PERMISSIONS,
  ...METRICS_API_PERMISSIONS,
  ...ELECTION_PERMISSIONS,
  ...AUTHORITY_PERMISSIONS,
];
