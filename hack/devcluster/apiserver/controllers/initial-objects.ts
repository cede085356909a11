import { randomUUID } from 'node:crypto';
import { type ApiObject, timestamp } from '../api-object.ts';
import type { ClusterCertificates } from '../auth/cluster-certificates.ts';
import type { JsonObject } from '../json.ts';

/** What every cluster has from the start: its namespaces, and the configuration with which aggregated APIs authenticate requests. */
export function initialObjects(
  certificates: ClusterCertificates,
  now: Date,
): { collection: string; object: ApiObject }[] {
  const made = (
    kind: string,
    metadata: { name: string; namespace?: string; labels?: Record<string, string> },
    rest: JsonObject,
  ): ApiObject => ({
    apiVersion: 'v1',
    kind,
    metadata: { ...metadata, uid: randomUUID(), creationTimestamp: timestamp(now) },
    ...rest,
  });
  const namespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'].map((name) => ({
    collection: 'namespaces',
    object: made(
      'Namespace',
      { name, labels: { 'kubernetes.io/metadata.name': name } },
      { spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } },
    ),
  }));
  const authentication = made(
    'ConfigMap',
    { name: 'extension-apiserver-authentication', namespace: 'kube-system' },
    {
      data: {
        'client-ca-file': certificates.ca,
        'requestheader-client-ca-file': certificates.frontProxyCa,
        'requestheader-allowed-names': JSON.stringify(['front-proxy-client']),
        'requestheader-username-headers': JSON.stringify(['X-Remote-User']),
        'requestheader-group-headers': JSON.stringify(['X-Remote-Group']),
        'requestheader-extra-headers-prefix': JSON.stringify(['X-Remote-Extra-']),
      },
    },
  );
  return [...namespaces, { collection: 'configmaps', object: authentication }];
}
