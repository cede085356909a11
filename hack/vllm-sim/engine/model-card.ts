/** The properties of a model that the simulator uses: size, KV cache, capabilities. */

export interface ModelCard {
  /** Attention heads; 0 when unknown. */
  heads: number;
  /** Longest context of the checkpoint's configuration. */
  maxPositions: number;
  /** Bytes of KV cache per token over all layers in 16 bit. */
  kvBytesPerToken: number;
  /** True for latent attention (DeepSeek), where every accelerator holds the whole KV cache. */
  kvReplicated: boolean;
  weightsGiB: number;
  task: 'generate' | 'embed' | 'classify' | 'transcribe';
}

type Row = readonly [
  pattern: RegExp,
  heads: number,
  maxPositions: number,
  kvBytes: number,
  weightsGiB: number,
];

/** Configuration of public checkpoints: heads, positions, KV bytes per token, weights. */
const ROWS: readonly Row[] = [
  [/Llama-3\.[13]-8B/i, 32, 131072, 131072, 14.96],
  [/Llama-3\.[13]-70B|DeepSeek-R1-Distill-Llama-70B/i, 64, 131072, 327680, 131.42],
  [/Mistral-7B/i, 32, 32768, 131072, 13.5],
  [/Mixtral-8x7B/i, 32, 32768, 131072, 87],
  [/CodeLlama-13b/i, 40, 16384, 819200, 24.2],
  [/Qwen2\.5-72B/i, 64, 32768, 327680, 135.4],
  [/Qwen2\.5-(Coder-)?7B/i, 28, 32768, 57344, 14.19],
  [/Qwen2\.5-0\.5B/i, 14, 32768, 12288, 0.92],
  [/Qwen3-0\.6B/i, 16, 40960, 114688, 1.4],
  [/Qwen3-8B/i, 32, 40960, 147456, 15.26],
  [/Qwen3-32B/i, 64, 40960, 262144, 61],
  [/Qwen3-30B-A3B/i, 32, 40960, 98304, 56.87],
  [/DeepSeek-(V3|R1)/i, 128, 163840, 70272, 641.3],
  [/gpt-oss-20b/i, 64, 131072, 49152, 12.8],
  [/gpt-oss-120b/i, 64, 131072, 73728, 60.8],
  [/gemma-3-27b/i, 32, 131072, 507904, 51.1],
];

/** Looks a model up by name; an unknown one is sized by the `7B` in its name, else as 8 billion parameters. */
export function modelCard(model: string): ModelCard {
  const task = taskByName(model);
  const row = ROWS.find(([pattern]) => pattern.test(model));
  if (row !== undefined) {
    const [, heads, maxPositions, kvBytesPerToken, weightsGiB] = row;
    return {
      heads,
      maxPositions,
      kvBytesPerToken,
      kvReplicated: /DeepSeek-(V3|R1)(?!-Distill)/i.test(model),
      weightsGiB,
      task,
    };
  }
  const billions = Number(/(\d+(?:\.\d+)?)b\b/i.exec(model)?.[1] ?? (task === 'generate' ? 8 : 0.5));
  return {
    heads: 0,
    maxPositions: task === 'generate' ? 32768 : 8192,
    kvBytesPerToken: Math.round(131072 * Math.sqrt(billions / 8)),
    kvReplicated: false,
    weightsGiB: (billions * 2e9) / 2 ** 30,
    task,
  };
}

function taskByName(model: string): ModelCard['task'] {
  if (/rerank|classif|reward|cross-encoder/i.test(model)) {
    return 'classify';
  }
  if (/embed|bge-|\/e5-|gte-|minilm|mpnet/i.test(model)) {
    return 'embed';
  }
  return /whisper|speech|asr\b/i.test(model) ? 'transcribe' : 'generate';
}

/** Bytes per parameter relative to 16 bit, by `--quantization`. */
export function weightFactor(quantization: string | undefined): number {
  if (quantization === undefined) {
    return 1;
  }
  return /awq|gptq|fp4|int4|nvfp4/.test(quantization) ? 0.28 : 0.5;
}
