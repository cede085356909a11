import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installVllm } from '../../hack/vllm/environment.ts';
import { type TinyModel, writeTinyModels } from '../../hack/vllm/tiny-models.ts';
import { compareMinors, minorOf } from '../../operator/vllm/flag-facts.ts';
import { type Engine, type EngineOptions, startEngine } from './real-engine.ts';

/** An engine, by the settings of an InferenceModel, and what vLLM logs of its memory. */
interface MemoryCase {
  model: TinyModel;
  /** The first minor version that is known to start with it on a processor, and why older ones do not. */
  since?: { minor: string; why: string };
  /** Fields of its config.json that differ; the weights are then random. */
  config?: Readonly<Record<string, unknown>>;
  engine: {
    dtype: 'float32' | 'bfloat16';
    maxModelLen?: number;
    pagedAttention?: { blockSize: number };
    /** The same model drafts. */
    speculative?: { method: 'draft_model'; numSpeculativeTokens: number };
  };
}

/** What is recorded in test/vllm-sim/recordings/VERSION/memory.json. */
interface MemoryRecording extends Omit<MemoryCase, 'model' | 'config' | 'since'> {
  /** The whole config.json. */
  config: Record<string, unknown>;
  /** The lines of the log; none for a model without a KV cache. */
  log: string[];
}

const windows = {
  architectures: ['Gemma3ForCausalLM'],
  model_type: 'gemma3_text',
  hidden_activation: 'gelu_pytorch_tanh',
  num_hidden_layers: 6,
  max_position_embeddings: 4096,
  query_pre_attn_scalar: 32,
  rope_local_base_freq: 10000,
  sliding_window: 256,
  sliding_window_pattern: 6,
  tie_word_embeddings: true,
};

const latent = {
  architectures: ['DeepseekV3ForCausalLM'],
  model_type: 'deepseek_v3',
  num_hidden_layers: 3,
  num_key_value_heads: 2,
  head_dim: undefined,
  first_k_dense_replace: 1,
  moe_layer_freq: 1,
  moe_intermediate_size: 32,
  n_routed_experts: 4,
  n_shared_experts: 1,
  num_experts_per_tok: 2,
  n_group: 1,
  topk_group: 1,
  norm_topk_prob: true,
  scoring_func: 'sigmoid',
  topk_method: 'noaux_tc',
  routed_scaling_factor: 2.5, // transformers takes no integer
  q_lora_rank: 32,
  kv_lora_rank: 512,
  qk_rope_head_dim: 64,
  qk_nope_head_dim: 32,
  v_head_dim: 32,
};

const CASES: Readonly<Record<string, MemoryCase>> = {
  chat: { model: 'tiny-chat', engine: { dtype: 'float32', maxModelLen: 2048 } },
  '16 bits, small blocks': {
    model: 'tiny-chat',
    engine: { dtype: 'bfloat16', pagedAttention: { blockSize: 32 } },
  },
  'draft model': {
    model: 'tiny-chat',
    engine: {
      dtype: 'float32',
      maxModelLen: 2048,
      speculative: { method: 'draft_model', numSpeculativeTokens: 2 },
    },
  },
  'sliding windows': { model: 'tiny-chat', config: windows, engine: { dtype: 'float32' } },
  'latent attention': {
    model: 'tiny-chat',
    since: { minor: '0.32', why: 'vLLM 0.28 imports FlashAttention for it, which it has for GPUs only' },
    config: latent,
    engine: { dtype: 'bfloat16' },
  },
  embed: { model: 'tiny-embed', engine: { dtype: 'float32' } },
  rerank: { model: 'tiny-rerank', engine: { dtype: 'float32' } },
};

const FOLDER = fileURLToPath(new URL('../vllm-sim/recordings/', import.meta.url));

/** What vLLM says of the KV cache, after the time and the place in its code. */
const LINE = /(?:Explicitly set|[CG]PU KV cache size).*$/gm;

/** What can be recorded of a version, by the name of the case, and a line for each case that cannot. */
export function memoryCases(version: string): { cases: [string, MemoryCase][]; leftOut: string[] } {
  const all = Object.entries(CASES);
  const isStarted = ({ since }: MemoryCase) =>
    since === undefined || compareMinors(minorOf(version), since.minor) >= 0;
  return {
    cases: all.filter(([, each]) => isStarted(each)),
    leftOut: all
      .filter(([, each]) => !isStarted(each))
      .map(
        ([name, { since }]) =>
          `${name}: left out, as vLLM ${version} does not start with it (${since?.why}); record ${since?.minor} or newer for it`,
      ),
  };
}

/**
 * Starts an engine of a version for each case, and writes down what it logs of its memory. Throws, and writes nothing, when
 * an engine does not start.
 */
export async function recordMemory(version: string, signal: AbortSignal): Promise<void> {
  const command = await installVllm(version, signal);
  const directory = mkdtempSync(join(tmpdir(), 'vllm-memory-'));
  const recordings: Record<string, MemoryRecording> = {};
  const { cases, leftOut } = memoryCases(version);
  for (const line of leftOut) console.log(line);
  try {
    const folders = writeTinyModels(directory);
    for (const [name, each] of cases) {
      console.log(`${name}: starting vllm serve ${each.model} …`);
      const { folder, config } = prepare(directory, folders[each.model], each.config);
      const log = join(directory, 'log');
      rmSync(log, { force: true });
      const args = argumentsOf(each, folder);
      const engine = await startCase(name, version, { command, model: folder, args, log, signal });
      engine.terminate();
      await engine.exited;
      const lines = readFileSync(log, 'utf8').match(LINE) ?? [];
      recordings[name] = { config, engine: each.engine, log: lines.map((line) => line.trim()) };
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  mkdirSync(`${FOLDER}${version}`, { recursive: true });
  const file = `${FOLDER}${version}/memory.json`;
  writeFileSync(file, `${JSON.stringify(recordings, null, 2)}\n`);
  console.log(`${Object.keys(recordings).length} engines in ${file}`);
}

async function startCase(name: string, version: string, options: EngineOptions): Promise<Engine> {
  try {
    return await startEngine(options);
  } catch (cause) {
    if (options.signal.aborted) throw cause;
    throw new Error(
      `${name}: vLLM ${version} does not start with it, so nothing was recorded; its log below names the reason. Record another version, or give the case a "since" in test/conformance/memory.ts`,
      { cause },
    );
  }
}

/** A folder with the model, and its config.json. */
function prepare(
  directory: string,
  original: string,
  changes: MemoryCase['config'],
): { folder: string; config: Record<string, unknown> } {
  const read = JSON.parse(readFileSync(join(original, 'config.json'), 'utf8')) as Record<string, unknown>;
  if (changes === undefined) return { folder: original, config: read };
  const folder = join(directory, 'changed');
  const config = { ...read, ...changes };
  cpSync(original, folder, { recursive: true });
  rmSync(join(folder, 'model.safetensors'));
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  return { folder, config };
}

function argumentsOf({ config, engine }: MemoryCase, folder: string): string[] {
  const { dtype, maxModelLen, pagedAttention, speculative } = engine;
  return [
    ...['--enforce-eager', '--max-num-seqs', '8', '--dtype', dtype],
    ...(config ? ['--load-format', 'dummy'] : []),
    ...(maxModelLen ? ['--max-model-len', String(maxModelLen)] : []),
    ...(pagedAttention ? ['--block-size', String(pagedAttention.blockSize)] : []),
    ...(speculative ? ['--speculative-config', draftConfig(speculative, folder)] : []),
  ];
}

function draftConfig(
  { method, numSpeculativeTokens }: NonNullable<MemoryCase['engine']['speculative']>,
  model: string,
): string {
  return JSON.stringify({ method, model, num_speculative_tokens: numSpeculativeTokens });
}
