import type { Autoscaler } from './workloads.ts';

/** What an autoscaler scales, as an index key. */
export function scaleTarget({ metadata, spec }: Autoscaler): string[] {
  const { kind, name } = spec?.scaleTargetRef ?? {};
  return kind === undefined || name === undefined ? [] : [targetKey(kind, metadata.namespace, name)];
}

/** The index key of something that can be scaled. */
export function targetKey(kind: string, namespace = '', name: string): string {
  return `${kind}/${namespace}/${name}`;
}
