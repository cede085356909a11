/** Trims pods before they are cached. Anyone can put the operator's labels on pods of up to 1 MiB. */
import {
  COMPONENT_LABEL,
  EVACUATING_LABEL,
  MODEL_LABEL,
  POOL_LABEL,
  POOL_NAMESPACE_LABEL,
} from '../../render/labels.ts';
import { identityOf } from './identity-of.ts';
import type { Pod } from './workloads.ts';

const LABELS = [MODEL_LABEL, POOL_LABEL, POOL_NAMESPACE_LABEL, COMPONENT_LABEL, EVACUATING_LABEL];

/** Shows in `kubectl describe pod` why the pod has the evacuating label: a taint or condition. */
export const NOTICE_ANNOTATION = 'vllm-operator.dev/eviction-notice';

/** More containers than a pod of the operator has, those of a service mesh included. */
const MAX_CONTAINERS = 32;

/** More tolerations, or limits of all its containers, than a pod of the operator has. */
const MAX_ITEMS = 128;

/** Longest text that is kept, in characters: an image, or a taint or condition. */
const MAX_TEXT = 1_024;

/** Keeps only the fields of a pod that the controllers read (`Pod`), and of each only as much as pods of the operator have. */
export function trimPod({ apiVersion, kind, metadata, spec, status }: Pod): Pod {
  const { creationTimestamp, deletionTimestamp, labels = {}, annotations } = metadata;
  const notice = annotations?.[NOTICE_ANNOTATION];
  return {
    apiVersion,
    kind,
    metadata: {
      ...identityOf(metadata),
      ...(creationTimestamp !== undefined && { creationTimestamp }),
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
      labels: Object.fromEntries(
        LABELS.flatMap((name) => (labels[name] === undefined ? [] : [[name, labels[name]]])),
      ),
      ...(notice !== undefined && { annotations: { [NOTICE_ANNOTATION]: notice.slice(0, MAX_TEXT) } }),
    },
    spec: trimSpec(spec),
    ...(status && { status: trimStatus(status) }),
  };
}

function trimSpec({ nodeName, containers, initContainers, tolerations }: Pod['spec']): Pod['spec'] {
  let room = MAX_ITEMS;
  return {
    ...(nodeName !== undefined && { nodeName }),
    ...(containers && {
      containers: containers.slice(0, MAX_CONTAINERS).map(({ name, image, resources }) => {
        const limits = Object.entries(resources?.limits ?? {}).slice(0, room);
        room -= limits.length;
        return {
          ...trimContainer({ name, image }),
          ...(resources?.limits && { resources: { limits: Object.fromEntries(limits) } }),
        };
      }),
    }),
    ...(initContainers && { initContainers: initContainers.slice(0, MAX_CONTAINERS).map(trimContainer) }),
    ...(tolerations && { tolerations: tolerations.slice(0, MAX_ITEMS) }),
  };
}

function trimContainer({ name, image }: { name: string; image?: string | undefined }) {
  return { name, ...(image !== undefined && { image: image.slice(0, MAX_TEXT) }) };
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
