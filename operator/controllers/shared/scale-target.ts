import type { Autoscaler } from './workloads.ts';

/** The scale target of an autoscaler, as an index key. */
export function scaleTarget({ metadata, spec }: Autoscaler): string[] {
  const { kind, name } = spec?.scaleTargetRef ?? {};
  return kind === undefined || name === undefined ? [] : [targetKey(kind, metadata.namespace, name)];
}

/** The index key of a scalable object. */
export function targetKey(kind: string, namespace = '', name: string): string {
  return `${kind}/${namespace}/${name}`;
}
