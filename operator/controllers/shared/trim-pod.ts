/** Trims pods before they are cached. Anyone can put the operator's labels on pods of up to 1 MiB. */
import type { Pod } from './workloads.ts';

const LABELS = ['vllm-operator.dev/', 'app.kubernetes.io/'];
const ANNOTATIONS = ['vllm-operator.dev/'];

/** Keeps only the fields of a pod that the controllers read (`Pod`). */
export function trimPod({ apiVersion, kind, metadata, spec, status }: Pod): Pod {
  const { managedFields: _, finalizers: __, labels, annotations, ownerReferences, ...identity } = metadata;
  return {
    apiVersion,
    kind,
    metadata: {
      ...identity,
      ...(labels && { labels: only(labels, LABELS) }),
      ...(annotations && { annotations: only(annotations, ANNOTATIONS) }),
      ...(ownerReferences && { ownerReferences: ownerReferences.filter(({ controller }) => controller) }),
    },
    spec: trimSpec(spec),
    ...(status && { status: trimStatus(status) }),
  };
}

function trimSpec({ nodeName, containers, initContainers, tolerations }: Pod['spec']): Pod['spec'] {
  return {
    ...(nodeName !== undefined && { nodeName }),
    ...(containers && {
      containers: containers.map(({ name, image, resources }) => ({
        name,
        ...(image !== undefined && { image }),
        ...(resources?.limits && { resources: { limits: resources.limits } }),
      })),
    }),
    ...(initContainers && {
      initContainers: initContainers.map(({ name, image }) => ({
        name,
        ...(image !== undefined && { image }),
      })),
    }),
    ...(tolerations && { tolerations }),
  };
}

function trimStatus(status: NonNullable<Pod['status']>): NonNullable<Pod['status']> {
  const { phase, podIP, podIPs, startTime, conditions, initContainerStatuses, containerStatuses } = status;
  return {
    ...(phase !== undefined && { phase }),
    ...(podIP !== undefined && { podIP }),
    ...(podIPs && { podIPs }),
    ...(startTime !== undefined && { startTime }),
    ...(conditions && { conditions }),
    ...(initContainerStatuses && { initContainerStatuses }),
    ...(containerStatuses && { containerStatuses }),
  };
}

function only(map: Record<string, string>, prefixes: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(map).filter(([name]) => prefixes.some((prefix) => name.startsWith(prefix))),
  );
}
