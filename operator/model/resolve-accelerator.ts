/** Resolves `spec.accelerator` of a pool to the accelerators of one replica. */
import type { InferencePoolSpec } from '../api/inference-pool.ts';
import { InvalidSpecError } from '../values/spec-issue.ts';
import {
  ACCELERATOR_PRODUCTS,
  ACCELERATORS,
  type Accelerator,
  type AcceleratorProduct,
  isLarge,
  isProduct,
  NVIDIA_PRODUCT_LABEL,
} from '../vllm/accelerators.ts';

/**
 * The accelerators of one replica. Capabilities are absent for a custom accelerator, so nothing is rejected because of
 * them.
 */
export interface ResolvedAccelerator {
  /** Name in the catalog, `custom`, or `CPU` if there are no accelerators. */
  product: AcceleratorProduct | 'custom' | 'CPU';
  /** Number of accelerators per replica. */
  count: number;
  /** Absent without accelerators. */
  resourceName?: string;
  vendor: 'nvidia' | 'amd' | 'other' | 'cpu';
  memoryGiB: number;
  capability?: number;
  bf16?: boolean;
  fp8?: boolean;
  /** Whether vLLM's defaults for large accelerators apply. */
  largeBatches: boolean;
  fastLinks?: boolean;
  maxPerNode?: number;
  productLabel?: { key: string; values: readonly string[] };
  cpu: number;
  hostMemoryGiB: number;
  hourlyCostHint?: string;
  /** Additional extended resources of one replica, by name. */
  furtherResources: Readonly<Record<string, string>>;
}

type OneAccelerator = Omit<ResolvedAccelerator, 'furtherResources'>;

/** A replica without accelerators. Its memory is that of the pod. */
function resolveCpu(spec: InferencePoolSpec['accelerator']): OneAccelerator {
  const { cores, memoryGiB } = spec.cpu ?? { cores: 4, memoryGiB: 16 };
  return {
    product: 'CPU',
    count: 1,
    vendor: 'cpu',
    memoryGiB,
    largeBatches: false,
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
        reason: 'type is custom, so the accelerator has to be described',
        remedy: 'set custom.resourceName, custom.count and custom.memoryGiB',
      },
    ]);
  }
  const domain = custom.resourceName.split('/')[0];
  const label = domain === 'amd.com' ? 'amd.com/gpu.product-name' : NVIDIA_PRODUCT_LABEL;
  return {
    product: 'custom',
    count: custom.count,
    resourceName: custom.resourceName,
    vendor: domain === 'nvidia.com' ? 'nvidia' : domain === 'amd.com' ? 'amd' : 'other',
    memoryGiB: custom.memoryGiB,
    largeBatches: isLarge(custom.memoryGiB),
    ...(custom.product === undefined ? {} : { productLabel: { key: label, values: [custom.product] } }),
    cpu: 4,
    hostMemoryGiB: Math.min(128, Math.max(8, custom.memoryGiB)),
  };
}

/** Name of an extended resource in Kubernetes. */
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
      name === own
        ? 'it is the accelerator itself'
        : 'it is not an extended resource, which has the form domain/name';
    const remedy =
      name === own ? 'remove it, and set the count in type' : 'use a name such as rdma/hca_shared';
    return [{ field, value: name, reason, remedy }];
  });
  if (issues.length > 0) throw new InvalidSpecError(issues);
  return resources;
}

/**
 * Resolves the accelerators of one replica. Throws InvalidSpecError for an unknown product, a count that no node has,
 * `custom` without its fields, and names that are not extended resources.
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
  const facts: Accelerator = ACCELERATORS[product];
  if (count < 1 || count > facts.maxPerNode) {
    const reason = `a replica is one pod, and a node has at most ${facts.maxPerNode} of ${product}`;
    const remedy = `use ${product}x${facts.maxPerNode} or less, or a product with more memory`;
    throw new InvalidSpecError([{ field, value: spec.type, reason, remedy }]);
  }
  return { product, count, ...facts };
}
