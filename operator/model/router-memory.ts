import type { InferencePool } from '../api/types.ts';
import { quantityValue } from '../values/quantity.ts';

/** Default memory limit of a router: several times what 10,000 waiting requests need. */
export const ROUTER_MEMORY_LIMIT = '2Gi';
/** The route table and its snapshot in the state volume. */
const TABLE_BYTES = 128 * 2 ** 20;

/**
 * Most bytes of request bodies that a router holds at once: a quarter of its memory limit, but at least one body of the
 * maximum size. A body counts up to three times: in nginx, in Lua, and when it is sent upstream.
 */
export function routerBodiesBytes({ spec: { router } }: Pick<InferencePool, 'spec'>): number {
  const limit = router.resources?.limits?.memory ?? ROUTER_MEMORY_LIMIT;
  return Math.floor(Math.max(quantityValue(limit) / 4, quantityValue(router.maxBodySize)));
}

/**
 * Memory of one connection whose client has sent the largest header that nginx.conf allows (large_client_header_buffers),
 * measured: 42 KiB, with TLS 57 KiB. TLS brings HTTP/2, where each stream has such a header: 45 KiB for every second
 * connection (router-files.ts).
 */
const CONNECTION_BYTES = 48 * 2 ** 10;
const TLS_CONNECTION_BYTES = 80 * 2 ** 10;

/**
 * Most connections of a router, of clients and to engines: their headers, which nginx reads before anything else can limit
 * them, use at most five eighths of its memory limit.
 */
export function routerConnections({ spec: { router } }: Pick<InferencePool, 'spec'>): number {
  const limit = quantityValue(router.resources?.limits?.memory ?? ROUTER_MEMORY_LIMIT);
  return Math.floor((limit * 5) / 8 / (router.tls ? TLS_CONNECTION_BYTES : CONNECTION_BYTES));
}

/** Size of a router's state volume, which is in memory. Large bodies of waiting streams pass through it (relay.lua). */
export function routerStateSize(pool: Pick<InferencePool, 'spec'>): string {
  return `${Math.ceil((routerBodiesBytes(pool) + TABLE_BYTES) / 2 ** 20)}Mi`;
}
