import { isIP } from 'node:net';
import { CertificateAuthority, type KeyPair } from './certificates.ts';

/** Everything that a cluster signs at its start. */
export interface ClusterCertificates {
  ca: string;
  server: KeyPair;
  admin: KeyPair;
  /** The CA by which backends of aggregated APIs know this server, and its certificate. */
  frontProxyCa: string;
  frontProxy: KeyPair;
}

const NAMES = [
  'localhost',
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
];

/** Makes the CAs and certificates of a new cluster; `host` is where the server listens. */
export async function makeClusterCertificates(host: string, now: Date): Promise<ClusterCertificates> {
  const [authority, front] = await Promise.all([
    CertificateAuthority.create('devcluster-ca', now),
    CertificateAuthority.create('devcluster-front-proxy-ca', now),
  ]);
  const named = isIP(host) === 0;
  const ip = [...new Set(['127.0.0.1', ...(named ? [] : [host])])];
  const [server, admin, frontProxy] = await Promise.all([
    authority.server({ dns: named ? [...NAMES, host] : NAMES, ip }),
    authority.client('kubernetes-admin', ['system:masters']),
    front.client('front-proxy-client', []),
  ]);
  return { ca: authority.certificate, server, admin, frontProxyCa: front.certificate, frontProxy };
}
