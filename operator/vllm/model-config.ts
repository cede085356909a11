/** The config.json of a model as its authors write it, reduced to what decides its size. */
import { z } from 'zod';
import { InvalidSpecError, type SpecIssue } from '../values/spec-issue.ts';
import { LONGEST_CONTEXT } from './model-facts.ts';

const number = (least: number, most: number) =>
  z
    .int()
    .min(least)
    .max(most)
    .nullish()
    .transform((value) => value ?? undefined);
const size = number(1, 1_048_576);
const few = number(0, 65_536);
const layers = number(1, 1024);
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? undefined);
const name = z
  .string()
  .max(128)
  .nullish()
  .transform((value) => value ?? '');

const shape = z.object({
  model_type: name,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: layers,
  num_attention_heads: number(1, 4096),
  num_key_value_heads: number(1, 4096),
  head_dim: number(1, 4096),
  vocab_size: number(1, 16_777_216),
  type_vocab_size: few,
  max_position_embeddings: number(1, LONGEST_CONTEXT),
  tie_word_embeddings: flag,
  attention_bias: flag,
  multi_query: flag,
  new_decoder_architecture: flag,
  attn_output_gate: flag,
  // Windows and other kinds of layers.
  sliding_window: number(0, LONGEST_CONTEXT),
  use_sliding_window: flag,
  sliding_window_pattern: number(1, 1024),
  max_window_layers: few,
  layer_types: z.array(z.string().max(64)).max(1024).nullish(),
  full_attention_interval: number(1, 1024),
  linear_num_key_heads: size,
  linear_key_head_dim: size,
  linear_num_value_heads: size,
  linear_value_head_dim: size,
  // Experts.
  num_experts: few,
  num_experts_per_tok: few,
  moe_intermediate_size: size,
  n_shared_experts: few,
  shared_expert_intermediate_size: number(0, 1_048_576),
  first_k_dense_replace: few,
  moe_layer_freq: number(1, 1024),
  decoder_sparse_step: number(1, 1024),
  mlp_only_layers: z.array(z.int()).max(1024).nullish(),
  // Latent attention.
  kv_lora_rank: number(1, 65_536),
  q_lora_rank: number(1, 65_536),
  qk_rope_head_dim: number(1, 65_536),
  qk_nope_head_dim: number(1, 65_536),
  v_head_dim: number(1, 65_536),
});

const tower = z.object({
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: layers,
});

/** What decides the size of a model with text; `towers` are encoders of images and sound. */
export type ModelConfig = z.output<typeof shape> & {
  architectures: readonly string[];
  towers: readonly z.output<typeof tower>[];
  quantization: Readonly<Record<string, unknown>> | undefined;
};

/** Names that older or other families have for the same, by the usual one. */
const OTHER_NAMES: Readonly<Record<string, readonly string[]>> = {
  hidden_size: ['n_embd', 'd_model', 'embed_dim'],
  intermediate_size: ['n_inner', 'ffn_dim', 'encoder_ffn_dim'],
  num_hidden_layers: ['n_layer', 'n_layers', 'num_layers', 'depth', 'encoder_layers'],
  num_attention_heads: ['n_head', 'n_heads'],
  num_key_value_heads: ['num_kv_heads', 'n_head_kv'],
  max_position_embeddings: ['n_positions', 'seq_length'],
  sliding_window_pattern: ['_sliding_window_pattern'],
  num_experts: ['num_local_experts', 'n_routed_experts', 'moe_num_experts'],
  num_experts_per_tok: ['num_experts_per_token', 'experts_per_token', 'moe_topk', 'moe_k'],
};

/** Where families keep the part with the language model. */
const TEXT_PARTS = ['text_config', 'llm_config', 'language_config', 'thinker_config'];
const TOWER_PARTS = ['vision_config', 'audio_config'];

/** Fields of state-space layers, whose sizes follow other rules. */
const STATE_SPACE = ['ssm_cfg', 'mamba_d_state', 'mamba_num_heads', 'hybrid_override_pattern', 'state_size'];

/** Nesting of text parts that is followed. */
const DEEPEST = 3;

const FACTS_REMEDY = 'set spec.model.facts from the documentation of the model';

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An issue of the file, with a remedy for a file that cannot be corrected. */
export function configIssue(field: string, value: unknown, reason: string, remedy = FACTS_REMEDY): SpecIssue {
  return { field, value, reason, remedy };
}

/**
 * Reads the text of a config.json. Throws InvalidSpecError with all issues when it is no JSON, no model, or a field is not what
 * it should be.
 */
export function parseModelConfig(text: string): ModelConfig {
  const whole = parseJson(text);
  const { at, part } = textPart(whole);
  const found = shape.safeParse(withUsualNames(part));
  const issues = found.success ? [] : found.error.issues.map((issue) => issueOf(issue, at, part));
  issues.push(...stateSpaceIssues(part, at));
  if (!found.success || issues.length > 0) throw new InvalidSpecError(issues);
  const quantization = part.quantization_config ?? whole.quantization_config;
  return {
    ...found.data,
    tie_word_embeddings: found.data.tie_word_embeddings ?? flag.safeParse(whole.tie_word_embeddings).data,
    architectures: z.array(z.string().max(128)).max(16).catch([]).parse(whole.architectures),
    towers: TOWER_PARTS.flatMap((key) => towerOf(whole[key])),
    quantization: isObject(quantization) ? quantization : undefined,
  };
}

function parseJson(text: string): Json {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    // V8 quotes the text, which may be long and may have anything in it.
    const reason = error instanceof SyntaxError ? 'is not JSON' : String(error);
    throw new InvalidSpecError([
      configIssue('the file', undefined, reason, 'use the config.json of the model'),
    ]);
  }
  if (isObject(content)) return content;
  const reason = 'is JSON, but not an object';
  throw new InvalidSpecError([
    configIssue('the file', undefined, reason, 'use the config.json of the model'),
  ]);
}

function textPart(whole: Json): { at: string; part: Json } {
  let part = whole;
  let at = '';
  for (let depth = 0; depth < DEEPEST; depth += 1) {
    const key = TEXT_PARTS.find((each) => isObject(part[each]));
    if (key === undefined) break;
    part = part[key] as Json;
    at += `${key}.`;
  }
  return { at, part };
}

function withUsualNames(part: Json): Json {
  const renamed = Object.entries(OTHER_NAMES).flatMap(([usual, others]): [string, unknown][] => {
    if (part[usual] !== undefined && part[usual] !== null) return [];
    const other = others.find((each) => part[each] !== undefined && part[each] !== null);
    return other === undefined ? [] : [[usual, part[other]]];
  });
  return { ...part, ...Object.fromEntries(renamed) };
}

function issueOf({ path, message }: z.core.$ZodIssue, at: string, part: Json): SpecIssue {
  const [key = '', ...rest] = path.map(String);
  const written = [key, ...(OTHER_NAMES[key] ?? [])].find((each) => part[each] !== undefined) ?? key;
  const value = part[written];
  // A list or an object may be as large as the file.
  const shown = typeof value === 'object' && value !== null ? undefined : shorten(value);
  return configIssue([at + written, ...rest].join('.'), shown, message);
}

function shorten(value: unknown): unknown {
  return typeof value === 'string' && value.length > 64 ? `${value.slice(0, 64)}…` : value;
}

function stateSpaceIssues(part: Json, at: string): SpecIssue[] {
  const key = STATE_SPACE.find((each) => part[each] !== undefined && part[each] !== null);
  if (key === undefined) return [];
  return [configIssue(at + key, undefined, 'belongs to state-space layers, whose size is not computed here')];
}

function towerOf(value: unknown): z.output<typeof tower>[] {
  if (!isObject(value)) return [];
  const found = tower.safeParse(withUsualNames(value));
  return found.success ? [found.data] : [];
}
