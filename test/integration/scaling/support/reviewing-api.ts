/** An API server as far as an aggregated one asks it: whom to believe, whose a token is, and who may do what. */
import { CONFIG_MAPS } from '../../../../operator/kube/resource-types.ts';
import type { CertificateAndKey } from '../../../../operator/pki/certificates.ts';
import { type ConfigMap, type Fault, MiniApi } from '../../../unit/kube/support/mini-api.ts';
import type { Recorded } from '../../../unit/kube/support/mini-store.ts';

export interface Reviews {
  /** Users by token. */
  tokens: Record<string, { username: string; groups?: string[]; extra?: Record<string, string[]> }>;
  /** Whether a SubjectAccessReview's spec is allowed. */
  allows: (spec: AccessSpec) => boolean;
}

export interface AccessSpec {
  user: string;
  groups: string[];
  extra: Record<string, string[]>;
  resourceAttributes?: { namespace: string; verb: string; group: string; version: string; resource: string };
  nonResourceAttributes?: { path: string; verb: string };
}

/** Serves reviews beside what MiniApi serves; `api.fault` can still be replaced. */
export async function startReviewingApi(reviews: Reviews): Promise<MiniApi> {
  const api = await MiniApi.start();
  api.fault = (request) => review(request, reviews);
  return api;
}

/** Publishes CAs as kube-apiserver does. */
export function publishCas(
  api: MiniApi,
  cas: { client?: CertificateAndKey; proxy?: CertificateAndKey; allowedNames?: string[] },
): void {
  const configMap: ConfigMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'extension-apiserver-authentication', namespace: 'kube-system' },
    data: {
      ...(cas.client && { 'client-ca-file': cas.client.certificatePem }),
      ...(cas.proxy && {
        'requestheader-client-ca-file': cas.proxy.certificatePem,
        'requestheader-allowed-names': JSON.stringify(cas.allowedNames ?? ['front-proxy-client']),
        'requestheader-username-headers': '["X-Remote-User"]',
        'requestheader-uid-headers': '["X-Remote-Uid"]',
        'requestheader-group-headers': '["X-Remote-Group"]',
        'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
      }),
    },
  };
  api.store.put(CONFIG_MAPS, configMap);
}

/** Specs of the SubjectAccessReviews that were asked. */
export function accessReviews(api: MiniApi): AccessSpec[] {
  return api.requests
    .filter(({ path }) => path.endsWith('/subjectaccessreviews'))
    .map(({ body }) => (JSON.parse(body) as { spec: AccessSpec }).spec);
}

function review(request: Recorded, reviews: Reviews): Fault | undefined {
  if (request.path.endsWith('/tokenreviews')) {
    const { spec } = JSON.parse(request.body) as { spec: { token: string } };
    const user = reviews.tokens[spec.token];
    return created({
      kind: 'TokenReview',
      status: user ? { authenticated: true, user } : { error: 'unknown' },
    });
  }
  if (request.path.endsWith('/subjectaccessreviews')) {
    const { spec } = JSON.parse(request.body) as { spec: AccessSpec };
    return created({ kind: 'SubjectAccessReview', status: { allowed: reviews.allows(spec) } });
  }
  return undefined;
}

function created(body: object): Fault {
  return { status: 201, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
