/** The arguments of `vllm serve` for one engine. */
import { flagAvailability, flagNamed } from '../vllm/flags.ts';
import type { EngineVersion } from '../vllm/versions.ts';
import { type MergedEngine, worldSize } from './merged-engine.ts';

/** One flag that a setting asks for. */
export interface FlagRequest {
  /** Long name without dashes; it is in the flag table. */
  flag: string;
  /** Text after `=`, several arguments after the flag, or on and off of a switch. */
  value: string | readonly string[] | boolean;
  /** Setting below `spec.engine` or `spec.model`, for issues. */
  field: string;
}

type MaybeValue = string | number | undefined;

/**
 * Swap space of the whole engine in GiB. The setting is per accelerator, as `--swap-space` was; `--kv-offloading-size`
 * is the total over the tensor and pipeline ranks of one data-parallel rank.
 */
function offloadingSize(engine: MergedEngine, perAccelerator: number): number {
  return (perAccelerator * worldSize(engine)) / engine.dataParallelSize;
}

function swapRequest(engine: MergedEngine): FlagRequest[] {
  const field = 'engine.pagedAttention.swapSpaceGiB';
  const size = engine.settings.pagedAttention?.swapSpaceGiB;
  if (size === undefined) return [];
  if (flagAvailability(flagNamed('swap-space'), engine.version) === 'available') {
    return [{ flag: 'swap-space', value: String(size), field }];
  }
  if (size === 0) return [];
  return [{ flag: 'kv-offloading-size', value: String(offloadingSize(engine, size)), field }];
}

function speculativeConfig(engine: MergedEngine): string | undefined {
  const speculative = engine.settings.speculative;
  if (speculative === undefined) return undefined;
  return JSON.stringify({
    method: speculative.method,
    model: speculative.model,
    num_speculative_tokens: speculative.numSpeculativeTokens,
    prompt_lookup_max: speculative.promptLookupMax,
    prompt_lookup_min: speculative.promptLookupMin,
  });
}

function loraRequests(engine: MergedEngine): FlagRequest[] {
  const lora = engine.settings.lora;
  if (lora === undefined) return [];
  const adapters = (lora.adapters ?? []).map((adapter) => `${adapter.name}=${adapter.source}`);
  return [
    { flag: 'enable-lora', value: true, field: 'engine.lora' },
    ...single('max-loras', lora.maxLoras, 'engine.lora.maxLoras'),
    ...single('max-lora-rank', lora.maxRank, 'engine.lora.maxRank'),
    ...single('max-cpu-loras', lora.maxCpuLoras, 'engine.lora.maxCpuLoras'),
    ...(adapters.length === 0
      ? []
      : [{ flag: 'lora-modules', value: adapters, field: 'engine.lora.adapters' }]),
  ];
}

function single(flag: string, value: MaybeValue, field: string): FlagRequest[] {
  return value === undefined ? [] : [{ flag, value: String(value), field }];
}

function onOff(flag: string, value: boolean | undefined, field: string): FlagRequest[] {
  return value === undefined ? [] : [{ flag, value, field }];
}

/** Every flag that the settings of an engine come to, in the order they are rendered. */
export function flagRequests(engine: MergedEngine): FlagRequest[] {
  const { settings, version } = engine;
  const paged = settings.pagedAttention;
  const parser = settings.toolCallParser;
  const more = (size: number): number | undefined => (size > 1 ? size : undefined);
  return [
    { flag: 'served-model-name', value: engine.servedNames, field: 'model.servedNames' },
    ...single('revision', engine.revision, 'model.revision'),
    ...onOff('trust-remote-code', engine.trustRemoteCode || undefined, 'model.trustRemoteCode'),
    ...single('tensor-parallel-size', engine.tensorParallelSize, 'engine.tensorParallelSize'),
    ...single('pipeline-parallel-size', more(engine.pipelineParallelSize), 'engine.pipelineParallelSize'),
    ...single('data-parallel-size', more(engine.dataParallelSize), 'engine.dataParallelSize'),
    ...onOff('enable-expert-parallel', engine.expertParallel || undefined, 'engine.expertParallel'),
    ...single('dtype', settings.dtype, 'engine.dtype'),
    ...single('quantization', settings.quantization, 'engine.quantization'),
    ...single('load-format', settings.loadFormat, 'engine.loadFormat'),
    ...single('max-model-len', settings.maxModelLen, 'engine.maxModelLen'),
    ...single('block-size', paged?.blockSize, 'engine.pagedAttention.blockSize'),
    ...single(
      'gpu-memory-utilization',
      paged?.gpuMemoryUtilization,
      'engine.pagedAttention.gpuMemoryUtilization',
    ),
    ...swapRequest(engine),
    ...single('kv-cache-dtype', paged?.kvCacheDtype, 'engine.pagedAttention.kvCacheDtype'),
    ...onOff('enable-prefix-caching', paged?.prefixCaching, 'engine.pagedAttention.prefixCaching'),
    ...single('max-num-seqs', engine.maxNumSeqs, 'engine.batching.maxNumSeqs'),
    ...single(
      'max-num-batched-tokens',
      settings.batching?.maxNumBatchedTokens,
      'engine.batching.maxNumBatchedTokens',
    ),
    ...onOff('enable-chunked-prefill', settings.batching?.chunkedPrefill, 'engine.batching.chunkedPrefill'),
    ...single('performance-mode', settings.performanceMode, 'engine.performanceMode'),
    ...single('speculative-config', speculativeConfig(engine), 'engine.speculative'),
    ...loraRequests(engine),
    ...onOff('enable-auto-tool-choice', parser === undefined ? undefined : true, 'engine.toolCallParser'),
    ...single('tool-call-parser', parser, 'engine.toolCallParser'),
    ...single('reasoning-parser', settings.reasoningParser, 'engine.reasoningParser'),
    ...(drainsItself(version)
      ? single('shutdown-timeout', engine.drainTimeoutSeconds, 'engine.drainTimeout')
      : []),
  ];
}

/** Whether the engine ends running requests by itself after SIGTERM; an older one aborts them at once. */
export function drainsItself(version: EngineVersion): boolean {
  return flagAvailability(flagNamed('shutdown-timeout'), version) === 'available';
}

function format(request: FlagRequest): string[] {
  const { flag, value } = request;
  if (typeof value === 'boolean') return [`--${value ? '' : 'no-'}${flag}`];
  return typeof value === 'string' ? [`--${flag}=${value}`] : [`--${flag}`, ...value];
}

/**
 * Arguments for a container whose entrypoint is `vllm serve`: the model first, as vLLM demands, then typed flags, then
 * `extraArgs`. Throws RangeError rather than render a flag that the engine's version lacks; `resolveEngine` has refused
 * such settings.
 */
export function renderFlags(engine: MergedEngine): string[] {
  const requests = flagRequests(engine);
  for (const { flag } of requests) {
    if (flagAvailability(flagNamed(flag), engine.version) !== 'available') {
      throw new RangeError(`--${flag} does not exist in this engine version`);
    }
  }
  return [engine.source.argument, ...requests.flatMap(format), ...engine.extraArgs];
}
