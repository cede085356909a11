import type { InferencePool } from '../api/types.ts';
import { routerName } from './names.ts';

/** Name of the Service's port. Service meshes and Ingress controllers take the protocol from it. */
export function routerPortName({ spec }: Pick<InferencePool, 'spec'>): 'http' | 'https' {
  return spec.router.tls ? 'https' : 'http';
}

/** URL of the OpenAI API of a pool inside the cluster. */
export function routerUrl({ metadata, spec }: Pick<InferencePool, 'metadata' | 'spec'>): string {
  const { port } = spec.router.service;
  const scheme = routerPortName({ spec });
  const suffix = port === (scheme === 'https' ? 443 : 80) ? '' : `:${port}`;
  return `${scheme}://${routerName(metadata.name)}.${metadata.namespace}.svc${suffix}/v1`;
}
