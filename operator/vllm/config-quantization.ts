/** How the checkpoint behind a config.json stores its weights. */
import { InvalidSpecError } from '../values/spec-issue.ts';
import { GIB } from '../values/units.ts';
import { configIssue, type ModelConfig } from './model-config.ts';
import type { WeightFormat } from './model-facts.ts';
import type { ParameterCount } from './parameter-count.ts';

/** Bytes of a quantized parameter: 4 bits with a scale of 16 bits for 128, of 8 bits for 16, and of 8 bits for 32. */
const QUANTIZED_BYTES = { fp8: 1, int4: 0.52, nvfp4: 0.5625, mxfp4: 0.53125 } as const;

/** Format of the weights, and their size where some of them are not in it. */
export function weightsOf(
  config: ModelConfig,
  count: ParameterCount,
): { format: WeightFormat; sizeGiB: number | undefined } {
  const { quantization } = config;
  // vLLM loads 32-bit floats as 16-bit ones unless told otherwise.
  if (quantization === undefined) return { format: 'bf16', sizeGiB: undefined };
  const format = formatOf(quantization);
  // Checkpoints in MXFP4 quantize only the experts, all others all layers.
  const quantized = format === 'mxfp4' && count.experts > 0 ? count.experts : count.total - count.embeddings;
  const bytes = quantized * QUANTIZED_BYTES[format] + (count.total - quantized) * 2;
  return { format, sizeGiB: bytes / GIB };
}

type Quantized = keyof typeof QUANTIZED_BYTES;

function formatOf(quantization: Readonly<Record<string, unknown>>): Quantized {
  const { quant_method, quant_algo, bits, load_in_4bit, load_in_8bit } = quantization;
  const method = typeof quant_method === 'string' ? quant_method.toLowerCase() : '';
  const algorithm = typeof quant_algo === 'string' ? quant_algo.toLowerCase() : '';
  if (/mxfp4/.test(method)) return 'mxfp4';
  if (/nvfp4/.test(algorithm) || /fp4/.test(method)) return 'nvfp4';
  if (/fp8/.test(method) || /fp8/.test(algorithm)) return 'fp8';
  if (load_in_8bit === true) return 'fp8';
  if (load_in_4bit === true) return 'int4';
  const group = firstGroup(quantization.config_groups);
  const width = typeof bits === 'number' ? bits : group.num_bits;
  if (width === 8) return 'fp8';
  if (width === 4) return group.type === 'float' ? 'nvfp4' : 'int4';
  throw new InvalidSpecError([
    configIssue(
      'quantization_config.quant_method',
      typeof quant_method === 'string' ? quant_method.slice(0, 64) : undefined,
      'the width of its weights is not known',
      'set spec.model.facts with weightsGiB',
    ),
  ]);
}

/** What compressed-tensors writes of the weights of its first group. */
function firstGroup(groups: unknown): { num_bits?: unknown; type?: unknown } {
  const [group] = Object.values(Object(groups) as Record<string, unknown>);
  const { weights } = Object(group) as { weights?: unknown };
  return Object(weights) as { num_bits?: unknown; type?: unknown };
}
