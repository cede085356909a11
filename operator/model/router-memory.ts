import type { InferencePool } from '../api/types.ts';
import { quantityValue } from '../values/quantity.ts';

/** Memory limit of a router without one of its own: what 10,000 held requests need several times over. */
export const ROUTER_MEMORY_LIMIT = '2Gi';
/** The route table and its snapshot, which lie in the state volume. */
const TABLE_BYTES = 128 * 2 ** 20;

/**
 * How many bytes of request bodies a router holds at once: a quarter of its memory limit, but one body of any allowed size.
 * Bodies count up to three times: as nginx has them, as Lua reads them, and as they are sent on.
 */
export function routerBodiesBytes({ spec: { router } }: Pick<InferencePool, 'spec'>): number {
  const limit = router.resources?.limits?.memory ?? ROUTER_MEMORY_LIMIT;
  return Math.floor(Math.max(quantityValue(limit) / 4, quantityValue(router.maxBodySize)));
}

/** Size of a router's state volume, which is memory: large bodies of streams that waited go through it (relay.lua). */
export function routerStateSize(pool: Pick<InferencePool, 'spec'>): string {
  return `${Math.ceil((routerBodiesBytes(pool) + TABLE_BYTES) / 2 ** 20)}Mi`;
}
