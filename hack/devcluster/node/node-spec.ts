import { ACCELERATORS, type Accelerator, NVIDIA_PRODUCT_LABEL } from '../../../operator/vllm/accelerators.ts';
import type { NodeObject } from '../kinds.ts';

/** One simulated node. */
export interface NodeSpec {
  name: string;
  labels?: Record<string, string>;
  /** Resources beside the defaults below, such as `{'nvidia.com/gpu': '8'}`. */
  capacity?: Record<string, string>;
  taints?: { key: string; value?: string; effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute' }[];
}

/** Large enough that only accelerators limit the examples. */
const PLAIN_CAPACITY = { cpu: '256', memory: '4Ti', 'ephemeral-storage': '4Ti', pods: '1000' };

/** A machine with accelerators of one product, which `label` names; eight of NVIDIA's by default. */
export function gpuNode(
  name: string,
  product: string,
  count: number,
  { label, resource } = { label: NVIDIA_PRODUCT_LABEL, resource: 'nvidia.com/gpu' },
): NodeSpec {
  return { name, labels: { [label]: product }, capacity: { [resource]: String(count) } };
}

/** The default nodes of a cluster: one without accelerators, and two with each type of the catalog. */
export const DEFAULT_NODES: readonly NodeSpec[] = [
  { name: 'cpu-0' },
  ...Object.entries<Accelerator>(ACCELERATORS).flatMap(
    ([product, { productLabel, resourceName, maxPerNode }]) =>
      [0, 1].map((index) =>
        gpuNode(`${product.toLowerCase()}-${index}`, productLabel.values[0] ?? '', maxPerNode, {
          label: productLabel.key,
          resource: resourceName,
        }),
      ),
  ),
];

/** A machine without accelerators, and one for each product. */
export function nodesWith(gpus: Readonly<Record<string, number>>): NodeSpec[] {
  const withGpus = Object.entries(gpus).map(([product, count]) =>
    gpuNode(`${product.toLowerCase()}-0`, product, count),
  );
  return [{ name: 'cpu-0' }, ...withGpus];
}

/** The Node object of a machine, ready to run pods. */
export function nodeObject(spec: NodeSpec, hostIp: string, now: string): NodeObject {
  const capacity = { ...PLAIN_CAPACITY, ...spec.capacity };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: spec.name,
      labels: {
        'kubernetes.io/hostname': spec.name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        ...spec.labels,
      },
    },
    spec: spec.taints ? { taints: spec.taints } : {},
    status: {
      capacity,
      allocatable: capacity,
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          lastTransitionTime: now,
          reason: 'KubeletReady',
          message: 'kubelet is posting ready status',
        },
      ],
      addresses: [
        { type: 'InternalIP', address: hostIp },
        { type: 'Hostname', address: spec.name },
      ],
      nodeInfo: {
        architecture: 'amd64',
        bootID: '',
        containerRuntimeVersion: 'devcluster://1',
        kernelVersion: '',
        kubeProxyVersion: '',
        kubeletVersion: 'v1.36.0',
        machineID: '',
        operatingSystem: 'linux',
        osImage: 'local processes',
        systemUUID: '',
      },
    },
  };
}
