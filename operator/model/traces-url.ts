import type { InferencePoolSpec } from '../api/inference-pool.ts';

/** Where traces are posted. `host` of an IPv6 address is in brackets. */
export interface TracesUrl {
  host: string;
  port: number;
  path: string;
}

/** The endpoint in its parts, with the usual path of OTLP/HTTP if it has none. The schema of the pool has checked the text. */
export function tracesUrl({ endpoint }: NonNullable<InferencePoolSpec['tracing']>): TracesUrl {
  const [, , address = '', ...path] = endpoint.split('/');
  const at = address.lastIndexOf(':');
  return {
    host: address.slice(0, at),
    port: Number(address.slice(at + 1)),
    path: `/${path.join('/') || 'v1/traces'}`,
  };
}
