/** Permissions of a part of the operator, declared beside its code. The RBAC roles are generated from them. */
import type { ResourceType } from './object.ts';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

export interface Permission {
  type: Pick<ResourceType, 'group' | 'plural'>;
  subresource?: string;
  verbs: readonly Verb[];
  /** Names of the only objects that it applies to. `create` cannot be restricted by name. */
  names?: readonly string[];
  /** Only in the operator's own namespace. Default: in all namespaces. */
  ownNamespace?: true;
}

/** The verbs of a reflector. */
export const READ = ['list', 'watch'] as const;

/** The verbs of the applier: it checks whether a name is taken, applies (create or patch), and prunes. */
export const OWN = ['get', ...READ, 'create', 'patch', 'delete'] as const;
