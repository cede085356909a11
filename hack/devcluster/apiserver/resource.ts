import { type ApiObject, groupVersion } from './api-object.ts';
import type { CelRules } from './cel/rules.ts';
import type { Faults } from './faults.ts';
import type { JsonObject } from './json.ts';
import type { TypeNode } from './schema/type-node.ts';
import type { ErrorSubject } from './status-error.ts';
import type { Store } from './store.ts';

/** The context of a write, passed to the hooks of a resource. */
export interface WriteContext {
  /** Empty for the resource itself, else `status`, `scale`, … */
  subresource: string;
  now: Date;
  dryRun: boolean;
  username: string;
  /** Texts for Warning headers. */
  warn(text: string): void;
}

/** What a kind does beyond generic storage. Hooks get a copy that they may change. */
export interface Behaviour {
  /** Fills defaults. Runs on every decoded object. */
  default?(object: ApiObject, old: ApiObject | undefined): void;
  /** Fills values that Go writes though nobody set them (nulls and zeros of required fields). */
  zero?(object: ApiObject): void;
  /** Sets what is allocated on create (addresses, ports). These fields have no manager. */
  allocate?(object: ApiObject, store: Store): void;
  /** Sets what the server decides (allocated addresses, phases). `old` is absent on create. */
  prepare?(object: ApiObject, old: ApiObject | undefined, context: WriteContext): void;
  /** Finds what is wrong. */
  validate?(faults: Faults, object: ApiObject, old: ApiObject | undefined, context: WriteContext): void;
  /** Finalizers that a deletion adds, for what must be deleted before the object. */
  deletionFinalizers?(object: ApiObject, store: Store): string[];
  /** Changes an object that was marked for deletion. `before` is as it was. */
  terminating?(object: ApiObject, before: ApiObject, now: Date): void;
  /** Called after the object left the store. */
  deleted?(object: ApiObject): void;
}

/** A printer column as CRDs declare it. */
export interface PrinterColumn {
  name: string;
  type: string;
  format?: string;
  description?: string;
  priority?: number;
  jsonPath: string;
}

/** What only custom resources have. */
export interface CustomParts {
  /** structural schema of this version */
  schema: JsonObject;
  rules: CelRules;
  columns: PrinterColumn[];
  selectableFields: string[];
  scale?: { specReplicasPath: string; statusReplicasPath: string; labelSelectorPath?: string };
  hasStatus: boolean;
}

/** One version of a kind that is served. */
export interface Resource extends ErrorSubject {
  group: string;
  version: string;
  kind: string;
  listKind: string;
  plural: string;
  singular: string;
  namespaced: boolean;
  shortNames: string[];
  categories: string[];
  verbs: string[];
  /** Name of the collection; shared by all versions of a kind. */
  collection: string;
  subresources: JsonObject[];
  /** OpenAPI schema for decoding; for custom resources only metadata is decoded by it. */
  schema: JsonObject;
  type: TypeNode;
  hasGeneration: boolean;
  hasStatus: boolean;
  behaviour: Behaviour;
  custom?: CustomParts;
  /** From what the store holds to this version. Must not change its argument. */
  fromStored(object: ApiObject): ApiObject;
  /** From this version to what the store holds. Must not change its argument. */
  toStored(object: ApiObject): ApiObject;
}

/** apiVersion of a resource. */
export function apiVersionOf(resource: Pick<Resource, 'group' | 'version'>): string {
  return groupVersion(resource.group, resource.version);
}
