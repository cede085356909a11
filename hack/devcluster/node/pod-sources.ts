import type { DataObject } from '../kinds.ts';

/** What a pod's volumes and environment may refer to. */
export interface PodSources {
  configMap(namespace: string, name: string, signal: AbortSignal): Promise<DataObject | undefined>;
  secret(namespace: string, name: string, signal: AbortSignal): Promise<DataObject | undefined>;
  claimExists(namespace: string, name: string, signal: AbortSignal): Promise<boolean>;
  /** A token of the pod's service account. */
  token(request: TokenRequest, signal: AbortSignal): Promise<string>;
}

export interface TokenRequest {
  namespace: string;
  serviceAccount: string;
  pod: { name: string; uid: string };
  audience?: string;
  expirationSeconds?: number;
}

/** A pod refers to an object or key that does not exist (yet): the container waits, as under a kubelet. */
export class MissingSourceError extends Error {
  readonly code = 'MISSING_SOURCE';

  constructor(message: string) {
    super(message);
    this.name = 'MissingSourceError';
  }
}
