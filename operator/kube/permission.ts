/** What a part of the operator may do, said beside the code that does it. The roles are made from all of these. */
import type { ResourceType } from './object.ts';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

export interface Permission {
  type: Pick<ResourceType, 'group' | 'plural'>;
  subresource?: string;
  verbs: readonly Verb[];
  /** The only objects that it holds for. `create` cannot be limited by name. */
  names?: readonly string[];
  /** Only in the operator's own namespace. Default: in all. */
  ownNamespace?: true;
}

/** A reflector lists, then watches. */
export const READ = ['list', 'watch'] as const;

/** The applier also looks whether a name is taken, applies (create where there is nothing, patch else), and prunes. */
export const OWN = ['get', ...READ, 'create', 'patch', 'delete'] as const;
