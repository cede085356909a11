/** Which quantization methods run where, after vLLM's table of supported hardware and its history. */
import { ACCELERATORS, type Accelerator } from './accelerators.ts';
import { FLAG_TABLE } from './flag-facts.ts';
import type { WeightFormat } from './model-facts.ts';

/** Least CUDA compute capability. FP8 and FP4 methods that are absent fall back to weights only (Marlin) from 7.5. */
const MIN_CAPABILITY: ReadonlyMap<string, number> = new Map(
  Object.entries({
    modelopt: 8.9,
    modelopt_mxfp8: 8.9,
    modelopt_mixed: 8.9,
    deepseek_v4_fp8: 8.9,
    mxfp4: 8.0,
    gpt_oss_mxfp4: 8.0,
    mxfp8: 8.9,
  }),
);

/** Methods built on CUDA-only kernels. */
const NOT_ON_AMD = new Set(['modelopt', 'modelopt_fp4', 'modelopt_mxfp8', 'modelopt_mixed', 'humming']);

/** Products of the catalog with a compute capability or a higher one, for messages. */
function productsFrom(capability: number): string {
  return Object.entries<Accelerator>(ACCELERATORS)
    .filter(([, facts]) => (facts.capability ?? 0) >= capability)
    .map(([product]) => product)
    .join(', ');
}

/** Why a method cannot run on an accelerator with a stock engine of a version; undefined when nothing speaks against it. */
export function quantizationObstacle(
  method: string,
  accelerator: { product: string; vendor: string; capability?: number },
): { reason: string; remedy: string } | undefined {
  if (accelerator.vendor === 'amd' && NOT_ON_AMD.has(method)) {
    return {
      reason: `${method} does not run on AMD accelerators`,
      remedy: 'use fp8, quark or compressed-tensors, or a pool of NVIDIA accelerators',
    };
  }
  const least = MIN_CAPABILITY.get(method);
  if (least !== undefined && accelerator.capability !== undefined && accelerator.capability < least) {
    const have = accelerator.capability.toFixed(1);
    return {
      reason: `${method} needs compute capability ${least.toFixed(1)}, and ${accelerator.product} has ${have}`,
      remedy:
        least > 8
          ? `use a pool of ${productsFrom(least)}, or AWQ or GPTQ weights`
          : 'use a newer accelerator, or AWQ or GPTQ weights',
    };
  }
  return undefined;
}

const FORMATS: readonly [RegExp, WeightFormat][] = [
  [/^(gpt_oss_)?mxfp4$/, 'mxfp4'],
  [/(nvfp4|^modelopt_fp4$|^fp_quant$)/, 'nvfp4'],
  [/(awq|gptq|^moe_wna16$)/, 'int4'],
  [/(fp8|int8|^modelopt$)/, 'fp8'],
];

/** How a method stores the weights; undefined where the checkpoint decides, and for a name that no vLLM has. */
export function quantizedFormat(method: string): WeightFormat | undefined {
  if (!Object.hasOwn(FLAG_TABLE.flags.quantization?.names ?? {}, method)) return undefined;
  return FORMATS.find(([pattern]) => pattern.test(method))?.[1];
}
