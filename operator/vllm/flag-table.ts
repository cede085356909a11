/**
 * The arguments of `vllm serve` v0.28.0, and those that went away since v0.11.1, from vLLM's argument parsers and history.
 * A removed flag makes vLLM exit with code 2, so where only the commit's date is known, the earliest release that can carry it counts.
 */

import type { Flag, FlagKind } from './flag.ts';
import { SETTING_FLAGS } from './settings.ts';

const router = 'the router reaches engines at a fixed port without a key or TLS';
const oneNode = 'a replica is one pod on one node';

/** Flags that would cut the engine off from the router, the probes or its own pod. */
const RESERVED: readonly Flag[] = [
  ...['host', 'port', 'uds', 'root-path', 'ssl-keyfile', 'ssl-certfile', 'ssl-ca-certs', 'ssl-cert-reqs'].map(
    (name): Flag => ({ name, kind: 'value', reserved: router }),
  ),
  { name: 'ssl-ciphers', kind: 'value', reserved: router },
  { name: 'enable-ssl-refresh', kind: 'switch', reserved: router },
  { name: 'api-key', kind: 'list', reserved: router },
  { name: 'grpc', kind: 'switch', reserved: router },
  { name: 'headless', kind: 'switch', reserved: oneNode },
  { name: 'nnodes', kind: 'value', aliases: ['-n'], since: '0.12.0', reserved: oneNode },
  { name: 'node-rank', kind: 'value', aliases: ['-r'], since: '0.12.0', reserved: oneNode },
  { name: 'master-addr', kind: 'value', since: '0.12.0', reserved: oneNode },
  { name: 'master-port', kind: 'value', since: '0.12.0', reserved: oneNode },
  { name: 'data-parallel-rank', kind: 'value', aliases: ['-dpn'], reserved: oneNode },
  { name: 'data-parallel-start-rank', kind: 'value', aliases: ['-dpr'], reserved: oneNode },
  { name: 'data-parallel-size-local', kind: 'value', aliases: ['-dpl'], reserved: oneNode },
  { name: 'data-parallel-address', kind: 'value', aliases: ['-dpa'], reserved: oneNode },
  { name: 'data-parallel-hybrid-lb', kind: 'switch', aliases: ['-dph'], reserved: oneNode },
  { name: 'data-parallel-external-lb', kind: 'switch', aliases: ['-dpe'], reserved: oneNode },
  {
    name: 'data-parallel-multi-port-external-lb',
    kind: 'switch',
    aliases: ['-dpm'],
    since: '0.22.0',
    reserved: oneNode,
  },
];

/** Flags that went away within the versions we render, or shortly before and still in many manifests. */
const REMOVED: readonly Flag[] = [
  {
    name: 'disable-log-requests',
    kind: 'switch',
    removed: '0.12.0',
    instead: 'nothing: requests are not logged by default',
  },
  {
    name: 'guided-decoding-backend',
    kind: 'value',
    removed: '0.12.0',
    instead: '--structured-outputs-config',
  },
  {
    name: 'guided-decoding-disable-fallback',
    kind: 'switch',
    removed: '0.12.0',
    instead: '--structured-outputs-config',
  },
  {
    name: 'guided-decoding-disable-any-whitespace',
    kind: 'switch',
    removed: '0.12.0',
    instead: '--structured-outputs-config',
  },
  {
    name: 'guided-decoding-disable-additional-properties',
    kind: 'switch',
    removed: '0.12.0',
    instead: '--structured-outputs-config',
  },
  { name: 'rope-scaling', kind: 'value', removed: '0.12.0', instead: '--hf-overrides' },
  { name: 'rope-theta', kind: 'value', removed: '0.12.0', instead: '--hf-overrides' },
  { name: 'override-pooler-config', kind: 'value', removed: '0.12.0', instead: '--pooler-config' },
  { name: 'logits-processor-pattern', kind: 'value', removed: '0.12.0', instead: '--logits-processors' },
  { name: 'lora-extra-vocab-size', kind: 'value', removed: '0.12.0' },
  { name: 'cuda-graph-sizes', kind: 'list', removed: '0.12.0', instead: '--cudagraph-capture-sizes' },
  {
    name: 'max-seq-len-to-capture',
    kind: 'value',
    removed: '0.12.0',
    instead: '--max-cudagraph-capture-size',
  },
  { name: 'task', kind: 'value', removed: '0.13.0', instead: '--runner or --convert' },
  { name: 'disable-frontend-multiprocessing', kind: 'switch', removed: '0.20.0' },
  { name: 'max-num-partial-prefills', kind: 'value', removed: '0.26.0' },
  { name: 'max-long-partial-prefills', kind: 'value', removed: '0.26.0' },
  { name: 'calculate-kv-scales', kind: 'switch', removed: '0.27.0' },
  { name: 'enable-reasoning', kind: 'switch', removed: '0.10.0', instead: 'engine.reasoningParser' },
  { name: 'speculative-model', kind: 'value', removed: '0.10.0', instead: 'engine.speculative' },
  { name: 'num-speculative-tokens', kind: 'value', removed: '0.10.0', instead: 'engine.speculative' },
  ...[
    'device',
    'num-scheduler-steps',
    'preemption-mode',
    'scheduler-delay-factor',
    'num-lookahead-slots',
    'qlora-adapter-name-or-path',
    'max-prompt-adapters',
    'tokenizer-pool-size',
    'ngram-prompt-lookup-max',
    'ngram-prompt-lookup-min',
  ].map((name): Flag => ({ name, kind: 'value', removed: '0.11.0' })),
  ...['use-v2-block-manager', 'enable-prompt-adapter', 'multi-step-stream-outputs', 'worker-use-ray'].map(
    (name): Flag => ({ name, kind: 'switch', removed: '0.11.0' }),
  ),
];

/** Flags that came within the versions we render. */
const ADDED: readonly Flag[] = [
  { name: 'disable-access-log-for-endpoints', kind: 'value', since: '0.15.0' },
  { name: 'prefix-cache-retention-interval', kind: 'value', since: '0.28.0' },
];

/** Everything else, passed through from `extraArgs`. */
const VALUES =
  'additional-config all2all-backend allowed-headers allowed-local-media-path allowed-methods allowed-origins api-server-count attention-backend attention-config chat-template chat-template-content-format code-revision compilation-config config config-format convert cp-kv-cache-interleave-size cpu-distributed-timeout-seconds cpu-offload-gb data-parallel-backend data-parallel-rpc-port data-parallel-supervisor-port dbo-decode-token-threshold dbo-prefill-token-threshold dcp-comm-backend dcp-kv-cache-interleave-size decode-context-parallel-size default-chat-template-kwargs default-mm-loras diffusion-config distributed-executor-backend distributed-timeout-seconds download-dir dp-supervisor-probe-failure-threshold dp-supervisor-probe-interval-s dp-supervisor-probe-timeout-s ec-transfer-config eplb-config expert-placement-strategy fingerprint-mode fingerprint-value gdn-prefill-backend generation-config h11-max-header-count h11-max-incomplete-event-size hf-config-path hf-overrides io-processor-plugin ir-op-priority jit-monitor-mode kernel-config kv-cache-memory-bytes kv-cache-metrics-sample kv-events-config kv-offloading-backend kv-transfer-config limit-mm-per-prompt linear-backend log-config-file logprobs-mode long-prefill-token-threshold lora-dtype mamba-backend mamba-block-size mamba-cache-dtype mamba-cache-mode mamba-cache-philox-rounds mamba-ssm-cache-dtype max-cudagraph-capture-size max-log-len max-logprobs max-num-scheduled-tokens max-parallel-loading-workers media-io-kwargs middleware mm-encoder-attn-backend mm-encoder-attn-dtype mm-encoder-fp8-scale-path mm-encoder-fp8-scale-save-margin mm-encoder-fp8-scale-save-path mm-encoder-tp-mode mm-ipc-gpu-memory-gb mm-processor-cache-gb mm-processor-cache-type mm-processor-kwargs mm-shm-cache-max-object-size-mb mm-tensor-ipc model-class-overrides model-impl model-loader-extra-config moe-backend num-gpu-blocks-override offload-backend offload-group-size offload-num-in-group offload-prefetch-step optimization-level otlp-traces-endpoint override-attention-dtype override-generation-config pooler-config prefill-context-parallel-size prefill-schedule-interval prefix-caching-hash-algo prefix-match-unit profiler-config pt-load-map-location quantization-config reasoning-config reasoning-parser-plugin renderer-num-workers response-role runner safetensors-load-strategy safetensors-prefetch-block-size safetensors-prefetch-num-threads scheduler-cls scheduling-policy seed show-hidden-metrics-for-version stream-interval structured-outputs-config tokenizer tokenizer-mode tokenizer-revision tool-parser-plugin tool-server ubatch-size uvicorn-log-level video-pruning-rate watermark weight-transfer-config worker-cls worker-extension-cls';
const SWITCHES =
  'aggregate-engine-logging allow-credentials allow-deprecated-quantization async-scheduling cudagraph-metrics disable-cascade-attn disable-chunked-mm-input disable-custom-all-reduce disable-fastapi-docs disable-hybrid-kv-cache-manager disable-log-stats disable-nccl-for-dp-synchronization disable-sliding-window disable-uvicorn-access-log enable-bf16x3-router-gemm enable-cumem-allocator enable-cutedsl-warmup enable-dbo enable-elastic-ep enable-ep-weight-filter enable-eplb enable-flash-late-interaction enable-flashinfer-autotune enable-force-include-usage enable-layerwise-nvtx-tracing enable-log-deltas enable-log-outputs enable-log-requests enable-logging-iteration-details enable-mamba-cache-stochastic-rounding enable-mfu-metrics enable-mixed-moe-lora-format enable-mm-embeds enable-moe-shared-loras enable-offline-docs enable-per-request-metrics enable-prompt-embeds enable-prompt-tokens-details enable-request-id-headers enable-return-routed-experts enable-server-load-tracking enable-sleep-mode enable-tokenizer-info-endpoint enable-tower-connector-lora enforce-eager exclude-tools-when-tool-choice-none fail-on-environ-validation fully-sharded-loras interleave-mm-strings jit-monitor-verbose kv-cache-metrics kv-sharing-fast-prefill language-model-only log-error-stack mm-encoder-only numa-bind ray-workers-use-nsight return-tokens-as-token-ids scheduler-reserve-full-isl skip-mm-profiling skip-tokenizer-init specialize-active-lora tokens-only trust-request-chat-template use-fp64-gumbel use-tqdm-on-load';
const LISTS =
  'allowed-media-domains collect-detailed-traces cpu-offload-params cudagraph-capture-sizes ignore-patterns kv-cache-dtype-skip-layers logits-processors lora-target-modules numa-bind-cpus numa-bind-nodes offload-params';

const SHORT_FORMS: Readonly<Record<string, readonly string[]>> = {
  'api-server-count': ['-asc'],
  'attention-config': ['-ac'],
  'compilation-config': ['-cc'],
  'data-parallel-backend': ['-dpb'],
  'data-parallel-rpc-port': ['-dpp'],
  'decode-context-parallel-size': ['-dcp'],
  'diffusion-config': ['-dc'],
  'optimization-level': ['-O'],
  'prefill-context-parallel-size': ['-pcp'],
};

function plain(names: string, kind: FlagKind): Flag[] {
  return names.split(' ').map((name) => ({ name, kind, aliases: SHORT_FORMS[name] ?? [] }));
}

const TYPED: ReadonlySet<string> = new Set(SETTING_FLAGS.map(({ name }) => name));

/** Every flag that we know, each once: where it has become a setting, only with its field. */
export const FLAGS: readonly Flag[] = [
  ...SETTING_FLAGS,
  ...[
    ...RESERVED,
    ...REMOVED,
    ...ADDED,
    ...plain(VALUES, 'value'),
    ...plain(SWITCHES, 'switch'),
    ...plain(LISTS, 'list'),
  ].filter(({ name }) => !TYPED.has(name)),
];
