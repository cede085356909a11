/** Checks the parallel sizes against the accelerators of a replica and the shape of the model. */
import type { SpecIssue } from '../values/spec-issue.ts';
import { type MergedEngine, worldSize } from './merged-engine.ts';
import { type EngineInput, settingField } from './setting-field.ts';

/** Tensor-parallel sizes up to `limit` that split the heads of the model evenly. */
export function tensorParallelSizes(
  model: { attentionHeads: number; kvHeads: number },
  limit: number,
): number[] {
  return Array.from({ length: limit }, (_, index) => index + 1).filter((size) => {
    const splitsKv = size <= model.kvHeads ? model.kvHeads % size === 0 : size % model.kvHeads === 0;
    return model.attentionHeads % size === 0 && splitsKv;
  });
}

function checkCount(engine: MergedEngine, input: EngineInput): SpecIssue[] {
  const { count, product } = engine.accelerator;
  const world = worldSize(engine);
  if (world <= count) return [];
  const sizes = `tensor ${engine.tensorParallelSize} x pipeline ${engine.pipelineParallelSize} x data ${engine.dataParallelSize}`;
  const [field, value] =
    engine.tensorParallelSize > 1
      ? ['tensorParallelSize', engine.tensorParallelSize]
      : engine.pipelineParallelSize > 1
        ? ['pipelineParallelSize', engine.pipelineParallelSize]
        : ['dataParallelSize', engine.dataParallelSize];
  return [
    {
      field: settingField(input, String(field)),
      value,
      reason: `${sizes} needs ${world} accelerators, and a replica of this pool has ${count} (${product})`,
      remedy: `choose sizes whose product is at most ${count}, or a pool with more accelerators per replica`,
    },
  ];
}

function checkHeads(engine: MergedEngine, input: EngineInput): SpecIssue[] {
  const { model, tensorParallelSize: size, accelerator } = engine;
  if (model === undefined) return [];
  const sizes = tensorParallelSizes(model, accelerator.count);
  if (tensorParallelSizes(model, size).includes(size)) return [];
  const best = Math.max(...sizes);
  const rest = Math.floor(accelerator.count / best);
  const others = rest > 1 ? ` with dataParallelSize ${rest}` : '';
  const kv = model.latent === undefined ? ` and ${model.kvHeads} key-value heads` : '';
  return [
    {
      field: settingField(input, 'tensorParallelSize'),
      value: size,
      reason: `the model has ${model.attentionHeads} attention heads${kv}, which ${size} does not split evenly`,
      remedy: `set engine.tensorParallelSize of the InferenceModel to one of ${sizes.join(', ')}, for example ${best}${others}`,
    },
  ];
}

function checkStages(engine: MergedEngine, input: EngineInput): SpecIssue[] {
  const { model, pipelineParallelSize: size } = engine;
  if (model === undefined || size <= model.layers) return [];
  const reason = `the model has ${model.layers} layers`;
  const remedy = `use at most ${model.layers} stages`;
  return [{ field: settingField(input, 'pipelineParallelSize'), value: size, reason, remedy }];
}

function checkExperts(engine: MergedEngine, input: EngineInput): SpecIssue[] {
  // Facts from users do not include experts.
  const { model, expertParallel } = engine;
  const dense = model?.experts === undefined && input.model.spec.model.facts === undefined;
  if (!expertParallel || model === undefined || !dense) return [];
  const reason = 'the model has no experts, and vLLM does not start';
  return [{ field: settingField(input, 'expertParallel'), value: true, reason, remedy: 'remove it' }];
}

/** Issues of the parallel sizes. */
export function checkParallelism(engine: MergedEngine, input: EngineInput): SpecIssue[] {
  const count = checkCount(engine, input);
  // If the sizes exceed the replica, the other checks are pointless.
  return count.length > 0
    ? count
    : [...checkHeads(engine, input), ...checkStages(engine, input), ...checkExperts(engine, input)];
}
