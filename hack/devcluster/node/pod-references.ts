import type { FileSource, Pod } from '../kinds.ts';

/** Names of the ConfigMaps and Secrets that the pod's volumes or environment refer to, as `configmap/x` and `secret/x`. */
export function podReferences(pod: Pod): Set<string> {
  const names = new Set<string>();
  const add = (kind: 'configmap' | 'secret', name: string | undefined): void => {
    if (name !== undefined) names.add(`${kind}/${name}`);
  };
  const sources: FileSource[] = (pod.spec.volumes ?? []).flatMap(
    (volume) => volume.projected?.sources ?? [volume],
  );
  for (const source of sources) {
    add('configmap', source.configMap?.name);
    add('secret', source.secret?.secretName ?? source.secret?.name);
  }
  for (const container of [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]) {
    for (const from of container.envFrom ?? []) {
      add('configmap', from.configMapRef?.name);
      add('secret', from.secretRef?.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      add('configmap', valueFrom?.configMapKeyRef?.name);
      add('secret', valueFrom?.secretKeyRef?.name);
    }
  }
  return names;
}
