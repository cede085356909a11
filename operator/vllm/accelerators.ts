/** The catalog of accelerators: what a pod of each asks for, where it may run, and what the hardware can do. */
import { ACCELERATOR_PRODUCTS, type InferencePoolSpec } from '../api/inference-pool.ts';
import { InvalidSpecError } from '../values/spec-issue.ts';

export type AcceleratorProduct = (typeof ACCELERATOR_PRODUCTS)[number];

/** Facts of one accelerator of a product. */
export interface Accelerator {
  vendor: 'nvidia' | 'amd';
  /** Extended resource that a pod asks for. */
  resourceName: string;
  /** Memory that the driver reports, in GiB; below the number on the box. */
  memoryGiB: number;
  /** CUDA compute capability; absent on AMD. */
  capability?: number;
  bf16: boolean;
  /** 8-bit float arithmetic in hardware. Without it FP8 checkpoints still run, weights only (Marlin). */
  fp8: boolean;
  /** Fast links between the accelerators of a node (NVLink, xGMI); without them prefer pipeline parallelism. */
  fastLinks: boolean;
  /** Most of them that one node has. */
  maxPerNode: number;
  /** Node label and the values it has on such nodes, with and without the prefix that older drivers lack. */
  productLabel: { key: string; values: readonly string[] };
  /** Request for each accelerator: fits the smallest common cloud machine, above vLLM's 2 + N cores. */
  cpu: number;
  /** Host memory in GiB for each accelerator, without /dev/shm and swap space. */
  hostMemoryGiB: number;
  /** Rough on-demand price per hour in USD (2026-05), a hint where the pool names none. */
  hourlyCostHint: string;
}

const NVIDIA_LABEL = 'nvidia.com/gpu.product';
const nvidia = { vendor: 'nvidia', resourceName: 'nvidia.com/gpu', bf16: true } as const;
const linked = { fastLinks: true, maxPerNode: 8 } as const;
const unlinked = { fastLinks: false, maxPerNode: 8 } as const;

/** The value of gpu.product is the NVML name with dashes; drivers before 470 leave the vendor out. Shared GPUs end in `-SHARED` and are left out, as vLLM claims a share of the whole memory. */
function nvidiaNames(...names: string[]): Accelerator['productLabel'] {
  return { key: NVIDIA_LABEL, values: names.flatMap((name) => [`NVIDIA-${name}`, name]) };
}

/** Facts by product. Memory, capability, labels and prices: NVIDIA and AMD documentation, GPU feature discovery, ROCm node labeller, cloud price surveys. */
export const ACCELERATORS: Readonly<Record<AcceleratorProduct, Accelerator>> = {
  A100: {
    ...nvidia,
    ...linked,
    memoryGiB: 80,
    capability: 8.0,
    fp8: false,
    productLabel: nvidiaNames('A100-SXM4-80GB', 'A100-SXM-80GB', 'A100-80GB-PCIe'),
    cpu: 8,
    hostMemoryGiB: 96,
    hourlyCostHint: '2.00',
  },
  'A100-40GB': {
    ...nvidia,
    fastLinks: true,
    maxPerNode: 16,
    memoryGiB: 40,
    capability: 8.0,
    fp8: false,
    productLabel: nvidiaNames('A100-SXM4-40GB', 'A100-SXM-40GB', 'A100-PCIE-40GB'),
    cpu: 8,
    hostMemoryGiB: 64,
    hourlyCostHint: '1.60',
  },
  H100: {
    ...nvidia,
    ...linked,
    memoryGiB: 79.6,
    capability: 9.0,
    fp8: true,
    productLabel: nvidiaNames('H100-80GB-HBM3', 'H100-PCIe', 'H100-NVL'),
    cpu: 16,
    hostMemoryGiB: 160,
    hourlyCostHint: '2.95',
  },
  H200: {
    ...nvidia,
    ...linked,
    memoryGiB: 140,
    capability: 9.0,
    fp8: true,
    productLabel: nvidiaNames('H200', 'H200-NVL'),
    cpu: 16,
    hostMemoryGiB: 192,
    hourlyCostHint: '4.00',
  },
  B200: {
    ...nvidia,
    ...linked,
    memoryGiB: 179,
    capability: 10.0,
    fp8: true,
    productLabel: nvidiaNames('B200'),
    cpu: 16,
    hostMemoryGiB: 192,
    hourlyCostHint: '7.00',
  },
  L4: {
    ...nvidia,
    ...unlinked,
    memoryGiB: 22.5,
    capability: 8.9,
    fp8: true,
    productLabel: nvidiaNames('L4'),
    cpu: 3,
    hostMemoryGiB: 10,
    hourlyCostHint: '0.70',
  },
  L40S: {
    ...nvidia,
    ...unlinked,
    memoryGiB: 45,
    capability: 8.9,
    fp8: true,
    productLabel: nvidiaNames('L40S'),
    cpu: 3,
    hostMemoryGiB: 24,
    hourlyCostHint: '1.30',
  },
  A10: {
    ...nvidia,
    ...unlinked,
    memoryGiB: 22.5,
    capability: 8.6,
    fp8: false,
    productLabel: nvidiaNames('A10', 'A10G'),
    cpu: 3,
    hostMemoryGiB: 10,
    hourlyCostHint: '0.80',
  },
  T4: {
    ...nvidia,
    ...unlinked,
    memoryGiB: 15,
    capability: 7.5,
    bf16: false,
    fp8: false,
    productLabel: { key: NVIDIA_LABEL, values: ['Tesla-T4', 'NVIDIA-T4', 'T4'] },
    cpu: 3,
    hostMemoryGiB: 8,
    hourlyCostHint: '0.45',
  },
  MI300X: {
    ...linked,
    vendor: 'amd',
    resourceName: 'amd.com/gpu',
    memoryGiB: 191.9,
    bf16: true,
    fp8: true,
    productLabel: {
      key: 'amd.com/gpu.product-name',
      values: ['AMD_Instinct_MI300X_OAM', 'AMD_Instinct_MI300X'],
    },
    cpu: 8,
    hostMemoryGiB: 160,
    hourlyCostHint: '4.00',
  },
};

/** What one replica holds. Capabilities are absent for a custom accelerator: nothing is known, so nothing is refused. */
export interface ResolvedAccelerator {
  /** Name in the catalog, `custom`, or `CPU` for none. */
  product: AcceleratorProduct | 'custom' | 'CPU';
  /** Accelerators of one replica. */
  count: number;
  /** Absent without accelerators. */
  resourceName?: string;
  vendor: 'nvidia' | 'amd' | 'other' | 'cpu';
  memoryGiB: number;
  capability?: number;
  bf16?: boolean;
  fp8?: boolean;
  fastLinks?: boolean;
  maxPerNode?: number;
  productLabel?: { key: string; values: readonly string[] };
  cpu: number;
  hostMemoryGiB: number;
  hourlyCostHint?: string;
  /** Further extended resources of one replica, by name. */
  furtherResources: Readonly<Record<string, string>>;
}

function isProduct(name: string): name is AcceleratorProduct {
  return (ACCELERATOR_PRODUCTS as readonly string[]).includes(name);
}

type OneAccelerator = Omit<ResolvedAccelerator, 'furtherResources'>;

/** A replica without accelerators: its memory is that of the pod. */
function resolveCpu(spec: InferencePoolSpec['accelerator']): OneAccelerator {
  const { cores, memoryGiB } = spec.cpu ?? { cores: 4, memoryGiB: 16 };
  return {
    product: 'CPU',
    count: 1,
    vendor: 'cpu',
    memoryGiB,
    cpu: cores,
    hostMemoryGiB: memoryGiB,
  };
}

function resolveCustom(spec: InferencePoolSpec['accelerator']): OneAccelerator {
  const custom = spec.custom;
  if (custom === undefined) {
    throw new InvalidSpecError([
      {
        field: 'spec.accelerator.custom of the InferencePool',
        value: undefined,
        reason: 'type is custom, so nothing is known about the accelerator',
        remedy: 'set custom.resourceName, custom.count and custom.memoryGiB',
      },
    ]);
  }
  const domain = custom.resourceName.split('/')[0];
  const label = domain === 'amd.com' ? 'amd.com/gpu.product-name' : NVIDIA_LABEL;
  return {
    product: 'custom',
    count: custom.count,
    resourceName: custom.resourceName,
    vendor: domain === 'nvidia.com' ? 'nvidia' : domain === 'amd.com' ? 'amd' : 'other',
    memoryGiB: custom.memoryGiB,
    ...(custom.product === undefined ? {} : { productLabel: { key: label, values: [custom.product] } }),
    cpu: 4,
    hostMemoryGiB: Math.min(128, Math.max(8, custom.memoryGiB)),
  };
}

/** An extended resource, as Kubernetes has them. */
const EXTENDED_RESOURCE =
  /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

function furtherResources(
  spec: InferencePoolSpec['accelerator'],
  own: string | undefined,
): Readonly<Record<string, string>> {
  const resources = spec.resources ?? {};
  const issues = Object.keys(resources).flatMap((name) => {
    if (EXTENDED_RESOURCE.test(name) && name !== own) return [];
    const field = 'spec.accelerator.resources of the InferencePool';
    const reason =
      name === own ? 'it is the accelerator itself' : 'it is no extended resource, which is domain/name';
    const remedy =
      name === own ? 'remove it, and choose the count in type' : 'write it such as rdma/hca_shared';
    return [{ field, value: name, reason, remedy }];
  });
  if (issues.length > 0) throw new InvalidSpecError(issues);
  return resources;
}

/**
 * Accelerators of one replica from `spec.accelerator` of a pool.
 * Throws InvalidSpecError for an unknown product, one that no node has enough of, `custom` without facts, and resources
 * that are none.
 */
export function resolveAccelerator(spec: InferencePoolSpec['accelerator']): ResolvedAccelerator {
  const accelerator = resolveType(spec);
  return { ...accelerator, furtherResources: furtherResources(spec, accelerator.resourceName) };
}

function resolveType(spec: InferencePoolSpec['accelerator']): OneAccelerator {
  if (spec.type === 'custom') return resolveCustom(spec);
  if (spec.type === 'CPU') return resolveCpu(spec);
  const match = /^([^x]+)(?:x([0-9]+))?$/.exec(spec.type);
  const product = match?.[1] ?? spec.type;
  const count = Number(match?.[2] ?? 1);
  const field = 'spec.accelerator.type of the InferencePool';
  if (!isProduct(product)) {
    const remedy = `use one of ${ACCELERATOR_PRODUCTS.join(', ')} with an optional count such as H100x4, or custom`;
    throw new InvalidSpecError([
      { field, value: spec.type, reason: `the catalog has no accelerator ${product}`, remedy },
    ]);
  }
  const { ...facts } = ACCELERATORS[product];
  if (count < 1 || count > facts.maxPerNode) {
    const reason = `a replica is one pod, and a node has at most ${facts.maxPerNode} of ${product}`;
    const remedy = `use ${product}x${facts.maxPerNode} or less, or a product with more memory`;
    throw new InvalidSpecError([{ field, value: spec.type, reason, remedy }]);
  }
  return { product, count, ...facts };
}
