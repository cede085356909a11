/** Which layers of a model cache keys and values, and how far back they look. */
import type { ModelConfig } from './model-config.ts';

export interface LayerKinds {
  /** Layers with attention over all tokens or a window. */
  attention: number;
  /** Layers with linear attention, whose state does not grow. */
  linear: number;
  /** Attention layers with a window. */
  sliding: { layers: number; tokens: number } | undefined;
}

/** Every how many layers one looks at all tokens, in families that do not write it down. */
const PATTERNS: Readonly<Record<string, number>> = {
  gemma2: 2,
  gemma3: 6,
  gemma3_text: 6,
  cohere2: 4,
  gpt_oss: 2,
};

/** Kinds of layers of a model with this many layers. */
export function layerKinds(config: ModelConfig, layers: number): LayerKinds {
  const types = config.layer_types?.slice(0, layers);
  const linear = types
    ? types.filter((type) => type === 'linear_attention').length
    : config.full_attention_interval === undefined
      ? 0
      : layers - Math.floor(layers / config.full_attention_interval);
  const window = config.use_sliding_window === false ? 0 : (config.sliding_window ?? 0);
  const among = types ? slidingOf(types) : slidingLayers(config, layers);
  const sliding = window === 0 ? 0 : among;
  return {
    attention: layers - linear,
    linear,
    sliding: sliding === 0 ? undefined : { layers: sliding, tokens: window },
  };
}

function slidingOf(types: readonly string[]): number {
  return types.filter((type) => type === 'sliding_attention' || type === 'chunked_attention').length;
}

/** Without `layer_types`: by a pattern, for Qwen from a layer on, and else in all layers. */
function slidingLayers(config: ModelConfig, layers: number): number {
  const pattern = config.sliding_window_pattern ?? PATTERNS[config.model_type];
  if (pattern !== undefined) return layers - Math.floor(layers / pattern);
  return /^qwen[23]/.test(config.model_type) ? Math.max(0, layers - (config.max_window_layers ?? 0)) : layers;
}
