import type { TypeNode } from '../schema/type-node.ts';
import type { FieldSet } from './field-set.ts';
import type { ManagerIdentity } from './managed-fields.ts';

/** What an update or apply is done with. */
export interface ManagedWrite {
  type: TypeNode;
  identity: ManagerIdentity;
  /** Paths that this write can't change (status on the main resource, and the reverse). */
  reset: FieldSet;
  /** Empty for writes through the scale subresource, which leave it out. */
  time: string;
}
