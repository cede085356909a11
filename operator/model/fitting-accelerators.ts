import { ACCELERATOR_PRODUCTS, ACCELERATORS, type Accelerator } from '../vllm/accelerators.ts';
import type { KnownModel } from '../vllm/models.ts';
import { estimateMemory } from './memory-estimate.ts';
import type { MergedEngine } from './merged-engine.ts';
import { tensorParallelSizes } from './parallelism-checks.ts';

/** Accelerator types such as `H200x8` that can hold a model: cheapest first, one per product, at most three. */
export function fittingAccelerators(engine: MergedEngine, model: KnownModel): string[] {
  const types = ACCELERATOR_PRODUCTS.flatMap((product) => {
    const facts: Accelerator = ACCELERATORS[product];
    // MXFP4 and NVFP4 weights need Ampere or newer. Tensor parallelism is only worth its price with fast links.
    const fourBitFloat = model.format === 'mxfp4' || model.format === 'nvfp4';
    if (fourBitFloat && facts.capability !== undefined && facts.capability < 8) return [];
    const counts = facts.fastLinks ? [1, 2, 4, 8] : [1];
    const count = counts.find((size) => {
      if (!tensorParallelSizes(model, size).includes(size)) return false;
      const accelerator = { ...facts, product, count: size, furtherResources: {} };
      const parallel = { tensorParallelSize: size, pipelineParallelSize: 1, dataParallelSize: 1 };
      return estimateMemory({ ...engine, ...parallel, accelerator }, model).fits;
    });
    if (count === undefined) return [];
    const type = count === 1 ? product : `${product}x${count}`;
    return [{ type, cost: count * Number(facts.hourlyCostHint) }];
  });
  return types
    .sort((a, b) => a.cost - b.cost)
    .slice(0, 3)
    .map(({ type }) => type);
}
