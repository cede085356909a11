import type { ResourceRegistry } from './resource-registry.ts';
import type { BuiltinApi } from './schema/builtin-schemas.ts';
import type { SchemaLookup } from './schema/resolve.ts';
import type { TypeNodes } from './schema/type-node.ts';
import type { Store } from './store.ts';

/** Who sends a request. */
export interface UserInfo {
  username: string;
  uid?: string;
  groups: string[];
  extra?: Record<string, string[]>;
}

/** What all handlers share. */
export interface ServerContext {
  store: Store;
  registry: ResourceRegistry;
  builtin: BuiltinApi;
  lookup: SchemaLookup;
  types: TypeNodes;
  now(): Date;
}

/** One request as handlers see it. */
export interface WriteRequest {
  user: UserInfo;
  fieldManager: string;
  fieldValidation: 'Strict' | 'Warn' | 'Ignore';
  dryRun: boolean;
  warnings: string[];
}

/** A write that a part of the control plane does on its own. */
export function systemRequest(username: string, fieldManager: string): WriteRequest {
  return {
    user: { username, groups: ['system:masters'] },
    fieldManager,
    fieldValidation: 'Ignore',
    dryRun: false,
    warnings: [],
  };
}
