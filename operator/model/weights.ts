/** Memory of the weights of a model. */
import { GIB } from '../values/units.ts';
import type { WeightFormat } from '../vllm/model-facts.ts';
import type { KnownModel } from '../vllm/models.ts';
import { quantizedFormat } from '../vllm/quantization.ts';
import { draftOf } from './draft.ts';
import type { MergedEngine } from './merged-engine.ts';

/** Bytes per parameter. Four-bit formats include scales and the layers that stay at 16 bits. */
const BYTES: Readonly<Record<WeightFormat, number>> = {
  fp32: 4,
  bf16: 2,
  fp8: 1,
  int4: 0.56,
  nvfp4: 0.56,
  mxfp4: 0.53,
};

function loadedFormat(engine: MergedEngine, model: KnownModel): WeightFormat {
  const { quantization } = engine.settings;
  const quantized = quantization === undefined ? undefined : quantizedFormat(quantization);
  return quantized ?? computedFormat(engine, model);
}

/** The format of a model that is not quantized by a setting. */
function computedFormat({ settings: { dtype } }: MergedEngine, { format }: KnownModel): WeightFormat {
  return format === 'bf16' && (dtype === 'float' || dtype === 'float32') ? 'fp32' : format;
}

/** Weights of one copy of the model in GiB, in the format in which the engine loads them. */
export function weightsGiB(engine: MergedEngine, model: KnownModel): number {
  return weightsIn(loadedFormat(engine, model), model);
}

function weightsIn(format: WeightFormat, model: KnownModel): number {
  return weightBytes(model, format) / GIB;
}

/** Size of one copy of the model in bytes, in a format. */
export function weightBytes(model: KnownModel, format: WeightFormat): number {
  if (model.weightsGiB !== undefined && format === model.format) return model.weightsGiB * GIB;
  return model.parametersBillions * 1e9 * BYTES[format];
}

/** Share of the parameters that belongs to experts: all but those that every token uses. */
export function expertShare(model: KnownModel): number {
  if (model.experts === undefined) return 0;
  const { count, perToken, activeBillions } = model.experts;
  const total = model.parametersBillions;
  const unused = 1 - perToken / count;
  if (unused <= 0 || total <= activeBillions) return 0;
  return Math.min(1, (total - activeBillions) / unused / total);
}

/**
 * Weights on one accelerator in GiB. Tensor and pipeline ranks split them, and tensor ranks those of a draft model. Data-parallel ranks each hold a copy, but share
 * the experts. 2 % are added for what does not split evenly (KAITO).
 */
export function weightsPerAccelerator(engine: MergedEngine, model: KnownModel): number {
  const { tensorParallelSize, pipelineParallelSize, dataParallelSize } = engine;
  const experts = expertShare(model);
  const copies = 1 - experts + experts / dataParallelSize;
  const own = (weightsGiB(engine, model) * copies) / (tensorParallelSize * pipelineParallelSize);
  const draft = draftOf(engine, model);
  return 1.02 * (own + (draft ? weightsIn(computedFormat(engine, draft), draft) / tensorParallelSize : 0));
}
