/** The `vllm serve` flags that have a setting of their own, or that the operator sets: `extraArgs` may not repeat them. */
import type { RuleIssueParams } from './rule.ts';

const BY_SETTING: Record<string, readonly string[]> = {
  tensorParallelSize: ['--tensor-parallel-size', '-tp'],
  pipelineParallelSize: ['--pipeline-parallel-size', '-pp'],
  dataParallelSize: ['--data-parallel-size', '-dp'],
  expertParallel: ['--enable-expert-parallel', '--no-enable-expert-parallel', '-ep'],
  dtype: ['--dtype'],
  quantization: ['--quantization', '-q'],
  maxModelLen: ['--max-model-len'],
  'pagedAttention.blockSize': ['--block-size'],
  'pagedAttention.gpuMemoryUtilization': ['--gpu-memory-utilization'],
  'pagedAttention.swapSpaceGiB': ['--swap-space', '--kv-offloading-size'],
  'pagedAttention.kvCacheDtype': ['--kv-cache-dtype'],
  'pagedAttention.prefixCaching': ['--enable-prefix-caching', '--no-enable-prefix-caching'],
  'batching.maxNumSeqs': ['--max-num-seqs'],
  'batching.maxNumBatchedTokens': ['--max-num-batched-tokens'],
  'batching.chunkedPrefill': ['--enable-chunked-prefill', '--no-enable-chunked-prefill'],
  performanceMode: ['--performance-mode'],
  speculative: ['--speculative-config', '-sc', '--spec-method', '--spec-model', '--spec-tokens'],
  lora: ['--enable-lora', '--no-enable-lora', '--lora-modules'],
  'lora.maxLoras': ['--max-loras'],
  'lora.maxRank': ['--max-lora-rank'],
  'lora.maxCpuLoras': ['--max-cpu-loras'],
  toolCallParser: ['--tool-call-parser', '--enable-auto-tool-choice', '--no-enable-auto-tool-choice'],
  reasoningParser: ['--reasoning-parser'],
  loadFormat: ['--load-format'],
  drainTimeout: ['--shutdown-timeout'],
};

const BY_MODEL_FIELD: Record<string, readonly string[]> = {
  'spec.model.source of the InferenceModel': ['--model'],
  'spec.model.servedNames of the InferenceModel': ['--served-model-name'],
  'spec.model.revision of the InferenceModel': ['--revision'],
  'spec.model.tokenSecretRef of the InferenceModel': ['--hf-token'],
  'spec.model.trustRemoteCode of the InferenceModel': ['--trust-remote-code', '--no-trust-remote-code'],
};

/** Flags that would cut the engine off from the router, its probes or its own pod. */
const BY_OPERATOR = [
  ...['--host', '--port', '--uds', '--root-path', '--api-key', '--grpc', '--no-grpc'],
  ...['--ssl-keyfile', '--ssl-certfile', '--ssl-ca-certs', '--ssl-cert-reqs', '--ssl-ciphers'],
  ...['--enable-ssl-refresh', '--no-enable-ssl-refresh', '--headless', '--no-headless'],
  ...['--nnodes', '-n', '--node-rank', '-r', '--master-addr', '--master-port'],
  ...[
    '--data-parallel-rank',
    '-dpn',
    '--data-parallel-start-rank',
    '-dpr',
    '--data-parallel-size-local',
    '-dpl',
  ],
  ...['--data-parallel-address', '-dpa', '--data-parallel-hybrid-lb', '--no-data-parallel-hybrid-lb', '-dph'],
  ...['--data-parallel-external-lb', '--no-data-parallel-external-lb', '-dpe'],
  ...['--data-parallel-multi-port-external-lb', '--no-data-parallel-multi-port-external-lb', '-dpm'],
];

/** What is wrong with each such flag in `extraArgs`. Keys are flags with dashes, as `flagName` gives them. */
export const TYPED_FLAGS: ReadonlyMap<string, RuleIssueParams> = new Map([
  ...Object.entries(BY_SETTING).flatMap(([setting, flags]) =>
    flags.map((flag) => repeats(flag, `engine.${setting}`)),
  ),
  ...Object.entries(BY_MODEL_FIELD).flatMap(([field, flags]) => flags.map((flag) => repeats(flag, field))),
  ...BY_OPERATOR.map(
    (flag): Entry => [flag, { problem: `${flag} is set by the operator`, remedy: 'remove it' }],
  ),
]);

type Entry = readonly [string, RuleIssueParams];

function repeats(flag: string, field: string): Entry {
  return [flag, { problem: `${flag} repeats a typed setting`, remedy: `set ${field} instead` }];
}

/** The flag of one argument: without its value, without the field of a dotted JSON flag, dashes for underscores (vLLM takes both). */
export function flagName(argument: string): string {
  return argument.replaceAll('_', '-').replaceAll('.', '=').split('=')[0] ?? '';
}
