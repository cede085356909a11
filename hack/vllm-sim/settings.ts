/** One simulated engine's settings, resolved from the command line and the environment as vLLM resolves its own. */
import type { ServeArguments } from './cli/arguments.ts';
import { type Environment, envFlag, envNumber } from './cli/environment.ts';
import { StartError } from './cli/start-error.ts';
import { kvBlocks } from './engine/kv-capacity.ts';
import { type ModelCard, modelCard, weightFactor } from './engine/model-card.ts';
import { DEFAULT_VERSION, isRecent } from './engine-version.ts';
import { checkPairs, checkQuantization, checkToolParser } from './plugin-names.ts';
import { readTiming, type SimTiming } from './timing.ts';

export interface LoraAdapter {
  name: string;
  path: string;
}

export interface SimSettings {
  model: string;
  /** First is the one in responses and metrics. */
  servedNames: string[];
  task: ModelCard['task'];
  maxModelLen: number;
  maxNumSeqs: number;
  maxNumBatchedTokens: number;
  blockSize: number;
  /** Per data-parallel engine. */
  numBlocks: number;
  prefixCaching: boolean;
  dataParallel: number;
  gpuMemoryUtilization: number;
  kvCacheDtype: string;
  host: string;
  port: number;
  uds?: string;
  tls?: { keyFile: string; certFile: string };
  apiKeys: string[];
  rootPath: string;
  /** With a folder, only paths in it have adapters. */
  lora: {
    enabled: boolean;
    runtimeUpdates: boolean;
    maxLoras: number;
    adapters: LoraAdapter[];
    folder?: string;
  };
  autoToolChoice: boolean;
  sleepMode: boolean;
  devMode: boolean;
  /** Accepts images, audio and video in a chat. */
  multimodal: boolean;
  /** Seconds; 0 aborts what is in flight. */
  shutdownTimeout: number;
  keepAliveSeconds: number;
  keepAliveOnEngineDeath: boolean;
  accessLog: boolean;
  quietEndpoints: string[];
  requestIdHeaders: boolean;
  loadTracking: boolean;
  forceUsage: boolean;
  promptTokensDetails: boolean;
  priorityScheduling: boolean;
  /** What answers: random words, or the last message of the prompt. */
  mode: 'random' | 'echo';
  embeddingDimensions: number;
  /** vLLM's, as /version says it. */
  version: string;
  /** Answers as those of 0.32 and later, not as those of 0.28. */
  recent: boolean;
  engineReadyTimeoutSeconds: number;
  timing: SimTiming;
  /** Value of the header x-vllm-sim-pod. */
  podName?: string;
}

/** Resolves everything. Throws StartError for what vLLM refuses after parsing (exit code 1). */
export function resolveSettings(args: ServeArguments, env: Environment): SimSettings {
  const model = args.model ?? 'Qwen/Qwen3-0.6B';
  const card = modelCard(model);
  const timing = readTiming(env);
  const worldSize = positive(args, 'tensor-parallel-size', 1) * positive(args, 'pipeline-parallel-size', 1);
  checkHeads(card, positive(args, 'tensor-parallel-size', 1));
  checkQuantization(args);
  checkPairs(args);
  checkToolParser(args);
  const memoryGiB = env.VLLM_SIM_MEMORY_GIB ? envNumber(env, 'VLLM_SIM_MEMORY_GIB', 0) : undefined;
  const large = (memoryGiB ?? 80) >= 70;
  const doubled = args.text('performance-mode') === 'throughput' ? 2 : 1;
  const maxModelLen = resolveLength(args, env, card);
  const blockSize = positive(args, 'block-size', 16);
  const names = args.list('served-model-name');
  const podName = env.POD_NAME ?? env.HOSTNAME;
  const uds = args.text('uds');
  const tls = resolveTls(args);
  const maxNumSeqs = positive(args, 'max-num-seqs', (large ? 1024 : 256) * doubled);
  const maxNumBatchedTokens = positive(args, 'max-num-batched-tokens', (large ? 8192 : 2048) * doubled);
  const sizes = { worldSize, blockSize, maxModelLen, maxNumSeqs, maxNumBatchedTokens };
  return {
    model,
    servedNames: names.length > 0 ? names : [model],
    task: resolveTask(args, card),
    maxModelLen,
    maxNumSeqs,
    maxNumBatchedTokens,
    blockSize,
    numBlocks: resolveBlocks(args, env, { card, memoryGiB, ...sizes }),
    prefixCaching: args.flag('enable-prefix-caching') ?? true,
    dataParallel: positive(args, 'data-parallel-size', 1),
    gpuMemoryUtilization: utilization(args),
    kvCacheDtype: args.text('kv-cache-dtype') ?? 'auto',
    host: args.text('host') ?? '0.0.0.0',
    port: args.number('port') ?? 8000,
    ...(uds === undefined ? {} : { uds }),
    ...(tls === undefined ? {} : { tls }),
    apiKeys: resolveKeys(args, env),
    rootPath: args.text('root-path') ?? '',
    lora: resolveLora(args, env),
    autoToolChoice: args.flag('enable-auto-tool-choice') ?? false,
    sleepMode: args.flag('enable-sleep-mode') ?? false,
    multimodal: /-VL\b|vision|llava|pixtral|omni|gemma-3/i.test(model),
    devMode: envFlag(env, 'VLLM_SERVER_DEV_MODE'),
    shutdownTimeout: args.number('shutdown-timeout') ?? 0,
    keepAliveSeconds: envNumber(env, 'VLLM_HTTP_TIMEOUT_KEEP_ALIVE', 5),
    keepAliveOnEngineDeath: envFlag(env, 'VLLM_KEEP_ALIVE_ON_ENGINE_DEATH'),
    accessLog: !(args.flag('disable-uvicorn-access-log') ?? false),
    quietEndpoints: (args.text('disable-access-log-for-endpoints') ?? '').split(',').filter(Boolean),
    requestIdHeaders: args.flag('enable-request-id-headers') ?? false,
    loadTracking: args.flag('enable-server-load-tracking') ?? false,
    forceUsage: args.flag('enable-force-include-usage') ?? false,
    promptTokensDetails: args.flag('enable-prompt-tokens-details') ?? false,
    priorityScheduling: args.text('scheduling-policy') === 'priority',
    mode: env.VLLM_SIM_MODE === 'echo' ? 'echo' : 'random',
    version: env.VLLM_SIM_VERSION ?? DEFAULT_VERSION,
    recent: isRecent(env.VLLM_SIM_VERSION ?? DEFAULT_VERSION),
    embeddingDimensions: envNumber(env, 'VLLM_SIM_EMBEDDING_DIMENSIONS', 384),
    engineReadyTimeoutSeconds: envNumber(env, 'VLLM_ENGINE_READY_TIMEOUT_S', 600),
    timing,
    ...(podName === undefined || podName === '' ? {} : { podName }),
  };
}

function resolveKeys(args: ServeArguments, env: Environment): string[] {
  const given = args.list('api-key');
  return given.length > 0 ? given : (env.VLLM_API_KEY ?? '').split(',').filter(Boolean);
}

function positive(args: ServeArguments, name: string, fallback: number): number {
  const value = args.number(name) ?? fallback;
  if (value < 1) {
    throw new StartError(
      'pydantic_core._pydantic_core.ValidationError',
      `1 validation error\n${name.replaceAll('-', '_')}\n  Input should be greater than or equal to 1 ` +
        `[type=greater_than_equal, input_value=${value}, input_type=int]`,
    );
  }
  return value;
}

function utilization(args: ServeArguments): number {
  const value = args.number('gpu-memory-utilization') ?? 0.92;
  if (value <= 0 || value > 1) {
    throw new StartError(
      'pydantic_core._pydantic_core.ValidationError',
      `1 validation error for CacheConfig\ngpu_memory_utilization\n  Input should be greater than 0 and less than ` +
        `or equal to 1 [input_value=${value}, input_type=float]`,
    );
  }
  return value;
}

function checkHeads(card: ModelCard, tensorParallel: number): void {
  if (card.heads > 0 && card.heads % tensorParallel !== 0) {
    throw new StartError(
      'ValueError',
      `Total number of attention heads (${card.heads}) must be divisible by tensor parallel size (${tensorParallel}).`,
    );
  }
}

function resolveLength(args: ServeArguments, env: Environment, card: ModelCard): number {
  const asked = args.number('max-model-len');
  const limit = envNumber(env, 'VLLM_SIM_MAX_POSITIONS', card.maxPositions);
  if (asked === undefined || asked === -1) {
    return limit;
  }
  if (asked > limit && card.heads > 0 && !envFlag(env, 'VLLM_ALLOW_LONG_MAX_MODEL_LEN')) {
    throw new StartError(
      'ValueError',
      `User-specified max_model_len (${asked}) is greater than the derived max_model_len ` +
        `(max_position_embeddings=${limit}.0 or model_max_length=None in model's config.json). To allow overriding ` +
        'this maximum, set the env var VLLM_ALLOW_LONG_MAX_MODEL_LEN=1.',
    );
  }
  return positive(args, 'max-model-len', limit);
}

function resolveTask(args: ServeArguments, card: ModelCard): ModelCard['task'] {
  const convert = args.text('convert');
  if (convert === 'embed') {
    return 'embed';
  }
  if (convert === 'classify' || convert === 'reward') {
    return 'classify';
  }
  if (args.text('runner') === 'pooling') {
    return card.task === 'classify' ? 'classify' : 'embed';
  }
  return args.text('runner') === 'generate' && card.task !== 'transcribe' ? 'generate' : card.task;
}

function resolveBlocks(
  args: ServeArguments,
  env: Environment,
  known: {
    card: ModelCard;
    worldSize: number;
    blockSize: number;
    maxModelLen: number;
    maxNumSeqs: number;
    maxNumBatchedTokens: number;
    memoryGiB: number | undefined;
  },
): number {
  const override = args.number('num-gpu-blocks-override') ?? envNumber(env, 'VLLM_SIM_NUM_BLOCKS', 0);
  if (override > 0) {
    return override;
  }
  const weights = envNumber(
    env,
    'VLLM_SIM_WEIGHTS_GIB',
    known.card.weightsGiB * weightFactor(args.text('quantization')),
  );
  return kvBlocks({
    ...known,
    weightsGiB: weights,
    utilization: utilization(args),
    kvFactor: /fp8|int8/.test(args.text('kv-cache-dtype') ?? '') ? 0.5 : 1,
    kvCacheBytes: args.number('kv-cache-memory-bytes'),
    activations: {
      tokensGiB: (envNumber(env, 'VLLM_SIM_MIB_PER_BATCHED_TOKEN', 0) * known.maxNumBatchedTokens) / 1024,
      sequencesGiB: (envNumber(env, 'VLLM_SIM_MIB_PER_SEQUENCE', 0) * known.maxNumSeqs) / 1024,
    },
  });
}

function resolveTls(args: ServeArguments): { keyFile: string; certFile: string } | undefined {
  const keyFile = args.text('ssl-keyfile');
  const certFile = args.text('ssl-certfile');
  return keyFile === undefined || certFile === undefined ? undefined : { keyFile, certFile };
}

function resolveLora(args: ServeArguments, env: Environment): SimSettings['lora'] {
  const runtimeUpdates = envFlag(env, 'VLLM_ALLOW_RUNTIME_LORA_UPDATING');
  if (runtimeUpdates && (args.number('api-server-count') ?? 1) > 1) {
    throw new StartError(
      'ValueError',
      'VLLM_ALLOW_RUNTIME_LORA_UPDATING cannot be used with api_server_count > 1',
    );
  }
  const enabled = args.flag('enable-lora') ?? false;
  return {
    enabled,
    runtimeUpdates: runtimeUpdates && enabled,
    maxLoras: positive(args, 'max-loras', 1),
    adapters: enabled ? args.list('lora-modules').map(readAdapter) : [],
    ...(env.VLLM_SIM_ADAPTER_FOLDER === undefined ? {} : { folder: env.VLLM_SIM_ADAPTER_FOLDER }),
  };
}

function readAdapter(text: string): LoraAdapter {
  if (text.includes('=') && !text.includes(',')) {
    const [name = '', path = ''] = text.split('=');
    return { name, path };
  }
  const { name, path }: { name?: unknown; path?: unknown } = JSON.parse(text);
  return { name: String(name), path: String(path) };
}
