/** The catalog of accelerators: what a pod of each asks for, where it may run, and what the hardware can do. */

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
  /**
   * vLLM's defaults for large accelerators: 1,024 sequences and more tokens a step. It leaves the A100 out by name.
   */
  largeBatches: boolean;
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

export const NVIDIA_PRODUCT_LABEL = 'nvidia.com/gpu.product';
const nvidia = { vendor: 'nvidia', resourceName: 'nvidia.com/gpu', bf16: true } as const;
const linked = { fastLinks: true, maxPerNode: 8 } as const;
const unlinked = { fastLinks: false, maxPerNode: 8 } as const;

/** The value of gpu.product is the NVML name with dashes; drivers before 470 leave the vendor out. Shared GPUs end in `-SHARED` and are left out, as vLLM claims a share of the whole memory. */
function nvidiaNames(...names: string[]): Accelerator['productLabel'] {
  return { key: NVIDIA_PRODUCT_LABEL, values: names.flatMap((name) => [`NVIDIA-${name}`, name]) };
}

/** Facts by product. Memory, capability, labels and prices: NVIDIA and AMD documentation, GPU feature discovery, ROCm node labeller, cloud price surveys. */
export const ACCELERATORS = {
  A100: {
    ...nvidia,
    ...linked,
    memoryGiB: 80,
    largeBatches: false,
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
    largeBatches: false,
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
    largeBatches: true,
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
    largeBatches: true,
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
    largeBatches: true,
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
    largeBatches: false,
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
    largeBatches: false,
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
    largeBatches: false,
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
    largeBatches: false,
    capability: 7.5,
    bf16: false,
    fp8: false,
    productLabel: { key: NVIDIA_PRODUCT_LABEL, values: ['Tesla-T4', 'NVIDIA-T4', 'T4'] },
    cpu: 3,
    hostMemoryGiB: 8,
    hourlyCostHint: '0.45',
  },
  MI300X: {
    ...linked,
    vendor: 'amd',
    resourceName: 'amd.com/gpu',
    memoryGiB: 191.9,
    largeBatches: true,
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
} as const satisfies Record<string, Accelerator>;

export type AcceleratorProduct = keyof typeof ACCELERATORS;

/** Products of the catalog. */
export const ACCELERATOR_PRODUCTS = Object.keys(ACCELERATORS) as [
  AcceleratorProduct,
  ...AcceleratorProduct[],
];

export function isProduct(name: string): name is AcceleratorProduct {
  return Object.hasOwn(ACCELERATORS, name);
}

/** Whether vLLM takes its defaults of large accelerators (get_batch_defaults: 70 GiB and more). */
export function isLarge(memoryGiB: number): boolean {
  return memoryGiB >= 70;
}
