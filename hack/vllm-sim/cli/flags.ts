/**
 * The flags of `vllm serve` v0.28.0, by name, kind and choices (vllm/engine/arg_utils.py and
 * vllm/entrypoints/launchers/cli_args.py). Lists that plugins may extend are left open.
 */
import { SETTING_FLAGS } from '../../../operator/vllm/settings.ts';
import { choice, type Flag, ofKind } from './flag.ts';

const MODEL: Flag[] = [
  ...ofKind(
    'str',
    `model tokenizer hf-config-path allowed-local-media-path revision code-revision tokenizer-revision
     logprobs-mode config-format hf-token generation-config model-impl io-processor-plugin`,
  ),
  choice('runner', 'auto generate pooling draft'),
  choice('convert', 'auto none embed classify reward'),
  choice('tokenizer-mode', 'auto hf slow mistral deepseek_v32 deepseek_v4 kimi_k3 inkling cohere'),
  choice('dtype', 'auto half float16 bfloat16 float float32'),
  { name: 'max-model-len', kind: 'length' },
  { name: 'quantization', short: 'q', kind: 'str' },
  { name: 'served-model-name', kind: 'str', list: true },
  { name: 'allowed-media-domains', kind: 'str', list: true },
  { name: 'logits-processors', kind: 'str', list: true },
  ...ofKind('int', 'seed max-logprobs renderer-num-workers'),
  ...ofKind(
    'bool',
    `trust-remote-code allow-deprecated-quantization enforce-eager enable-return-routed-experts
     disable-sliding-window disable-cascade-attn skip-tokenizer-init enable-prompt-embeds enable-sleep-mode
     enable-cumem-allocator use-fp64-gumbel`,
  ),
  ...ofKind(
    'json',
    'quantization-config hf-overrides model-class-overrides pooler-config override-generation-config',
  ),
];

const LOAD: Flag[] = [
  ...ofKind('str', 'load-format download-dir pt-load-map-location safetensors-load-strategy'),
  { name: 'ignore-patterns', kind: 'str', list: true },
  { name: 'safetensors-prefetch-num-threads', kind: 'int' },
  { name: 'safetensors-prefetch-block-size', kind: 'human' },
  { name: 'model-loader-extra-config', kind: 'json' },
  { name: 'use-tqdm-on-load', kind: 'bool' },
];

const PARALLEL: Flag[] = [
  choice('distributed-executor-backend', 'mp ray uni external_launcher'),
  { ...choice('data-parallel-backend', 'mp ray'), short: 'dpb' },
  choice('expert-placement-strategy', 'linear round_robin'),
  { name: 'tensor-parallel-size', short: 'tp', kind: 'int' },
  { name: 'pipeline-parallel-size', short: 'pp', kind: 'int' },
  { name: 'decode-context-parallel-size', short: 'dcp', kind: 'int' },
  { name: 'prefill-context-parallel-size', short: 'pcp', kind: 'int' },
  { name: 'data-parallel-size', short: 'dp', kind: 'int' },
  { name: 'data-parallel-rank', short: 'dpn', kind: 'int' },
  { name: 'data-parallel-start-rank', short: 'dpr', kind: 'int' },
  { name: 'data-parallel-size-local', short: 'dpl', kind: 'int' },
  { name: 'data-parallel-address', short: 'dpa', kind: 'str' },
  { name: 'data-parallel-rpc-port', short: 'dpp', kind: 'int' },
  { name: 'data-parallel-hybrid-lb', short: 'dph', kind: 'bool' },
  { name: 'data-parallel-external-lb', short: 'dpe', kind: 'bool' },
  { name: 'data-parallel-multi-port-external-lb', short: 'dpm', kind: 'switch' },
  { name: 'enable-expert-parallel', short: 'ep', kind: 'bool' },
  { name: 'nnodes', short: 'n', kind: 'int' },
  { name: 'node-rank', short: 'r', kind: 'int' },
  { name: 'numa-bind-nodes', kind: 'int', list: true },
  { name: 'numa-bind-cpus', kind: 'str', list: true },
  ...ofKind('str', 'master-addr all2all-backend dcp-comm-backend worker-cls worker-extension-cls'),
  ...ofKind(
    'int',
    `master-port distributed-timeout-seconds cpu-distributed-timeout-seconds dcp-kv-cache-interleave-size
     cp-kv-cache-interleave-size ubatch-size dbo-decode-token-threshold dbo-prefill-token-threshold
     max-parallel-loading-workers`,
  ),
  ...ofKind(
    'bool',
    `numa-bind enable-dbo enable-elastic-ep enable-eplb enable-ep-weight-filter
     disable-nccl-for-dp-synchronization ray-workers-use-nsight disable-custom-all-reduce`,
  ),
  { name: 'eplb-config', kind: 'json' },
];

const CACHE: Flag[] = [
  choice(
    'kv-cache-dtype',
    `auto float16 bfloat16 fp8 fp8_e4m3 fp8_e5m2 fp8_inc fp8_ds_mla nvfp4 nvfp4_4over6 int4_per_token_head
     int8_per_token_head fp8_per_token_head turboquant_k8v4 turboquant_4bit_nc turboquant_k3v4_nc
     turboquant_3bit_nc`,
  ),
  choice('prefix-caching-hash-algo', 'sha256 sha256_cbor xxhash xxhash_cbor'),
  choice('kv-offloading-backend', 'native lmcache'),
  choice('mamba-cache-mode', 'all align none'),
  { name: 'kv-cache-memory-bytes', kind: 'human' },
  { name: 'kv-cache-dtype-skip-layers', kind: 'str', list: true },
  { name: 'cpu-offload-params', kind: 'str', list: true },
  { name: 'offload-params', kind: 'str', list: true },
  ...ofKind(
    'str',
    'prefix-cache-retention-interval prefix-match-unit mamba-cache-dtype mamba-ssm-cache-dtype offload-backend',
  ),
  ...ofKind(
    'int',
    'block-size num-gpu-blocks-override mamba-block-size mamba-cache-philox-rounds offload-group-size offload-num-in-group offload-prefetch-step',
  ),
  ...ofKind('float', 'gpu-memory-utilization kv-offloading-size cpu-offload-gb'),
  ...ofKind('bool', 'enable-prefix-caching kv-sharing-fast-prefill enable-mamba-cache-stochastic-rounding'),
];

const SCHEDULER: Flag[] = [
  choice('scheduling-policy', 'fcfs priority'),
  choice('performance-mode', 'balanced interactivity throughput'),
  ...ofKind('human', 'max-num-batched-tokens max-num-scheduled-tokens'),
  ...ofKind('int', 'max-num-seqs long-prefill-token-threshold prefill-schedule-interval stream-interval'),
  { name: 'watermark', kind: 'float' },
  { name: 'scheduler-cls', kind: 'str' },
  ...ofKind(
    'bool',
    `enable-chunked-prefill disable-chunked-mm-input scheduler-reserve-full-isl
     disable-hybrid-kv-cache-manager async-scheduling`,
  ),
];

const ADAPTERS_AND_MEDIA: Flag[] = [
  choice('max-lora-rank', '1 8 16 32 64 128 256 320 512'),
  choice('lora-dtype', 'auto float16 bfloat16'),
  choice('mm-processor-cache-type', 'shm lru'),
  choice('mm-encoder-tp-mode', 'weights data'),
  { name: 'lora-modules', kind: 'str', list: true },
  { name: 'lora-target-modules', kind: 'str', list: true },
  ...ofKind('int', 'max-loras max-cpu-loras mm-shm-cache-max-object-size-mb'),
  ...ofKind(
    'float',
    'mm-processor-cache-gb mm-ipc-gpu-memory-gb mm-encoder-fp8-scale-save-margin video-pruning-rate',
  ),
  ...ofKind(
    'str',
    `mm-encoder-attn-backend mm-encoder-attn-dtype mm-encoder-fp8-scale-path mm-encoder-fp8-scale-save-path
     mm-tensor-ipc`,
  ),
  ...ofKind('json', 'default-mm-loras limit-mm-per-prompt media-io-kwargs mm-processor-kwargs'),
  ...ofKind(
    'bool',
    `enable-lora fully-sharded-loras enable-tower-connector-lora specialize-active-lora
     enable-mixed-moe-lora-format enable-moe-shared-loras language-model-only
     enable-mm-embeds mm-encoder-only interleave-mm-strings skip-mm-profiling`,
  ),
];

const OBSERVABILITY: Flag[] = [
  ...ofKind('str', 'show-hidden-metrics-for-version otlp-traces-endpoint jit-monitor-mode'),
  { name: 'collect-detailed-traces', kind: 'str', list: true },
  { name: 'kv-cache-metrics-sample', kind: 'float' },
  ...ofKind(
    'bool',
    `kv-cache-metrics cudagraph-metrics enable-layerwise-nvtx-tracing enable-mfu-metrics
     enable-logging-iteration-details jit-monitor-verbose`,
  ),
  ...ofKind('switch', 'disable-log-stats aggregate-engine-logging'),
];

const COMPILATION: Flag[] = [
  choice('optimization-level', '0 1 2 3'),
  ...ofKind('str', 'attention-backend mamba-backend reasoning-parser reasoning-parser-plugin'),
  ...ofKind('str', 'moe-backend linear-backend gdn-prefill-backend override-attention-dtype'),
  { name: 'cudagraph-capture-sizes', kind: 'int', list: true },
  { name: 'max-cudagraph-capture-size', kind: 'int' },
  ...ofKind('bool', 'enable-flashinfer-autotune enable-bf16x3-router-gemm enable-cutedsl-warmup'),
  { name: 'speculative-config', short: 'sc', kind: 'json' },
  { name: 'diffusion-config', short: 'dc', kind: 'json' },
  { name: 'compilation-config', short: 'cc', kind: 'json' },
  { name: 'attention-config', short: 'ac', kind: 'json' },
  ...ofKind('str', 'spec-method spec-model'),
  { name: 'spec-tokens', kind: 'int' },
  ...ofKind(
    'json',
    `kv-transfer-config kv-events-config ec-transfer-config kernel-config additional-config ir-op-priority
     structured-outputs-config profiler-config weight-transfer-config reasoning-config`,
  ),
  { name: 'fail-on-environ-validation', kind: 'bool' },
  { name: 'shutdown-timeout', kind: 'int' },
];

const FRONTEND: Flag[] = [
  ...ofKind(
    'str',
    `config host uds root-path chat-template response-role tool-parser-plugin tool-server log-config-file
     tool-call-parser disable-access-log-for-endpoints ssl-keyfile ssl-certfile ssl-ca-certs ssl-ciphers
     fingerprint-value`,
  ),
  choice('chat-template-content-format', 'auto string openai'),
  choice('uvicorn-log-level', 'critical error warning info debug trace'),
  choice('fingerprint-mode', 'full hash custom none'),
  { name: 'api-key', kind: 'str', list: true },
  { name: 'middleware', kind: 'str' },
  { name: 'api-server-count', short: 'asc', kind: 'int' },
  ...ofKind(
    'int',
    `port max-log-len ssl-cert-reqs h11-max-incomplete-event-size h11-max-header-count
     data-parallel-supervisor-port dp-supervisor-probe-failure-threshold`,
  ),
  ...ofKind('float', 'dp-supervisor-probe-interval-s dp-supervisor-probe-timeout-s'),
  ...ofKind('json', 'default-chat-template-kwargs allowed-origins allowed-methods allowed-headers'),
  ...ofKind('switch', 'headless grpc'),
  ...ofKind(
    'bool',
    `trust-request-chat-template return-tokens-as-token-ids enable-auto-tool-choice
     exclude-tools-when-tool-choice-none enable-log-requests enable-log-outputs enable-log-deltas
     enable-prompt-tokens-details enable-server-load-tracking enable-force-include-usage
     enable-tokenizer-info-endpoint enable-per-request-metrics log-error-stack tokens-only
     disable-uvicorn-access-log allow-credentials enable-ssl-refresh enable-request-id-headers
     disable-fastapi-docs enable-offline-docs enable-flash-late-interaction`,
  ),
];

const LISTED: readonly Flag[] = [
  ...MODEL,
  ...LOAD,
  ...PARALLEL,
  ...CACHE,
  ...SCHEDULER,
  ...ADAPTERS_AND_MEDIA,
  ...OBSERVABILITY,
  ...COMPILATION,
  ...FRONTEND,
];

/** Flags of the operator's settings that are not listed above: an engine that a setting is made for has its flag. */
function ofSettings(): Flag[] {
  const listed = new Set(LISTED.map(({ name }) => name));
  return SETTING_FLAGS.filter(({ name, removed }) => !listed.has(name) && removed === undefined).map(
    ({ name, kind }): Flag =>
      kind === 'list'
        ? { name, kind: 'str', list: true }
        : { name, kind: kind === 'switch' ? 'bool' : 'str' },
  );
}

/** Every flag by its long name. */
export const FLAGS: ReadonlyMap<string, Flag> = new Map(
  [...LISTED, ...ofSettings()].map((flag) => [flag.name, flag]),
);
