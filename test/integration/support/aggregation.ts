/**
 * Where an API server reaches a process of this machine as the backend of an aggregated API. kube-apiserver refuses
 * loopback addresses as endpoints, so that with KUBEBUILDER_ASSETS it is another address of this machine.
 */
import { writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { createCa, issueLeaf } from '../../../operator/pki/certificates.ts';
import { whichApiServer } from './which-api-server.ts';

/** What tests of aggregated APIs need: an address to serve at, or why there is none. */
export type BackendAddress =
  | { address: string; missing?: undefined }
  | { address?: undefined; missing: string };

/** The same during a run. */
export function backendAddress(): BackendAddress {
  switch (whichApiServer()) {
    case 'devcluster':
      return { address: '127.0.0.1' };
    case 'envtest': {
      const address = Object.values(networkInterfaces())
        .flatMap((addresses) => addresses ?? [])
        .find(
          ({ family, internal, address }) =>
            family === 'IPv4' && !internal && !address.startsWith('169.254.'),
        )?.address;
      return address === undefined
        ? {
            missing: 'kube-apiserver takes no loopback address as an endpoint, and this machine has no other',
          }
        : { address };
    }
    case 'existing':
      return { missing: 'the API server of an existing cluster does not reach processes of this machine' };
  }
}

/**
 * Flags with which kube-apiserver serves aggregated APIs: it finds backends by their endpoints, as no kube-proxy serves
 * ClusterIPs, and says who asks under the certificate of a front proxy. Its files go into `directory`.
 */
export async function aggregatorFlags(directory: string): Promise<Record<string, string>> {
  const context = { now: new Date() };
  const lifetimeMs = 24 * 3_600_000;
  const authority = await createCa('test-front-proxy-ca', lifetimeMs, context);
  const { certificatePem, privateKeyPem } = await issueLeaf(
    authority,
    { commonName: 'front-proxy-client', usage: 'client', lifetimeMs },
    context,
  );
  const file = (name: string) => join(directory, name);
  await writeFile(file('front-proxy-ca.crt'), authority.certificatePem);
  await writeFile(file('front-proxy.crt'), certificatePem);
  await writeFile(file('front-proxy.key'), privateKeyPem, { mode: 0o600 });
  return {
    'enable-aggregator-routing': 'true',
    'proxy-client-cert-file': file('front-proxy.crt'),
    'proxy-client-key-file': file('front-proxy.key'),
    'requestheader-client-ca-file': file('front-proxy-ca.crt'),
    'requestheader-allowed-names': 'front-proxy-client',
    'requestheader-username-headers': 'X-Remote-User',
    'requestheader-group-headers': 'X-Remote-Group',
    'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
  };
}
