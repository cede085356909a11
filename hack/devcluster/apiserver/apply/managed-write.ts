import type { TypeNode } from '../schema/type-node.ts';
import type { FieldSet } from './field-set.ts';
import type { ManagerIdentity } from './managed-fields.ts';

/** The parameters of an update or apply that ownership tracking needs. */
export interface ManagedWrite {
  type: TypeNode;
  identity: ManagerIdentity;
  /** Paths that this write can't change (status on the main resource, and the reverse). */
  reset: FieldSet;
  /** Empty for writes through the scale subresource, which leave it out. */
  time: string;
}
