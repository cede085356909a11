import type { InferencePool } from '../api/types.ts';
import { routerName } from './names.ts';

/** URL of the OpenAI API of a pool inside the cluster. */
export function routerUrl({ metadata, spec }: Pick<InferencePool, 'metadata' | 'spec'>): string {
  const { port } = spec.router.service;
  const scheme = spec.router.tls ? 'https' : 'http';
  const suffix = port === (scheme === 'https' ? 443 : 80) ? '' : `:${port}`;
  return `${scheme}://${routerName(metadata.name)}.${metadata.namespace}.svc${suffix}/v1`;
}
