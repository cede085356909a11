import { isIP } from 'node:net';
import { type CertificateAndKey, createCa, issueLeaf } from '../../../../operator/pki/certificates.ts';

/** Everything that a cluster signs at its start. */
export interface ClusterCertificates {
  /** PEM of the CA of servers and users. */
  ca: string;
  server: CertificateAndKey;
  admin: CertificateAndKey;
  /** PEM of the CA with which backends of aggregated APIs verify this server, and its certificate. */
  frontProxyCa: string;
  frontProxy: CertificateAndKey;
}

const NAMES = [
  'localhost',
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
];

/** A cluster does not outlive its process. */
const LIFETIME_MS = 365 * 24 * 3600 * 1000;

/** Makes the CAs and certificates of a new cluster; `host` is where the server listens. */
export async function makeClusterCertificates(host: string, now: Date): Promise<ClusterCertificates> {
  const context = { now };
  const [authority, front] = await Promise.all([
    createCa('devcluster-ca', LIFETIME_MS, context),
    createCa('devcluster-front-proxy-ca', LIFETIME_MS, context),
  ]);
  const named = isIP(host) === 0;
  const client = { usage: 'client', lifetimeMs: LIFETIME_MS } as const;
  const [server, admin, frontProxy] = await Promise.all([
    issueLeaf(
      authority,
      {
        commonName: 'kube-apiserver',
        usage: 'server',
        dnsNames: named ? [...NAMES, host] : NAMES,
        ipAddresses: [...new Set(['127.0.0.1', ...(named ? [] : [host])])],
        lifetimeMs: LIFETIME_MS,
      },
      context,
    ),
    issueLeaf(
      authority,
      { ...client, commonName: 'kubernetes-admin', organizations: ['system:masters'] },
      context,
    ),
    issueLeaf(front, { ...client, commonName: 'front-proxy-client' }, context),
  ]);
  return { ca: authority.certificatePem, server, admin, frontProxyCa: front.certificatePem, frontProxy };
}
