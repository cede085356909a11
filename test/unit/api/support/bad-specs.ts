/** For every rule a spec that breaks it: what the API server must refuse, and on which field. */
import type { Kind } from './schemas.ts';

export interface BadSpec {
  kind: Kind;
  /** Merged into a valid spec. */
  change: Record<string, unknown>;
  field: string;
  message: RegExp;
}

export const VALID_SPECS: Record<Kind, Record<string, unknown>> = {
  InferencePool: { accelerator: { type: 'A100' } },
  InferenceModel: { poolRef: { name: 'a100' }, model: { source: 'hf://Qwen/Qwen2.5-7B' } },
};

const source = 'hf://Qwen/Qwen2.5-7B';

function pool(change: Record<string, unknown>, field: string, message: RegExp): BadSpec {
  return { kind: 'InferencePool', change, field: `spec.${field}`, message };
}
function model(change: Record<string, unknown>, field: string, message: RegExp): BadSpec {
  return { kind: 'InferenceModel', change, field: `spec.${field}`, message };
}
/** Engine settings are the same in both kinds. */
function engine(change: Record<string, unknown>, field: string, message: RegExp): BadSpec[] {
  return [pool, model].map((make) => make({ engine: change }, `engine.${field}`, message));
}
/** So is degradation. */
function degradation(tiers: unknown[], at: string, message: RegExp): BadSpec[] {
  return [pool, model].map((make) =>
    make({ admission: { degradation: tiers } }, `admission.degradation${at}`, message),
  );
}

export const BAD_SPECS: readonly BadSpec[] = [
  pool(
    { accelerator: { type: 'X100x2' } },
    'accelerator.type',
    /unknown accelerator 'X100x2': use A100, .* or custom/,
  ),
  pool({ accelerator: { type: 'A100x17' } }, 'accelerator.type', /unknown accelerator/),
  pool({ accelerator: { type: 'custom' } }, 'accelerator.custom', /the other way round/),
  pool({ accelerator: { type: 'CPUx2' } }, 'accelerator.type', /unknown accelerator/),
  pool({ accelerator: { type: 'A100', cpu: {} } }, 'accelerator.cpu', /requires type CPU/),
  pool(
    { accelerator: { type: 'A100', custom: { resourceName: 'example.com/npu', count: 1, memoryGiB: 64 } } },
    'accelerator.custom',
    /the other way round/,
  ),
  pool({ allowedNamespaces: { from: 'Selector' } }, 'allowedNamespaces.selector', /the other way round/),
  pool({ allowedNamespaces: { selector: {} } }, 'allowedNamespaces.selector', /the other way round/),
  pool(
    {
      allowedNamespaces: {
        from: 'Selector',
        selector: { matchExpressions: [{ key: 'team', operator: 'In' }] },
      },
    },
    'allowedNamespaces.selector.matchExpressions[0].values',
    /In and NotIn/,
  ),
  pool(
    { responseCache: { redis: { managed: {}, external: { secretRef: { name: 'redis', key: 'url' } } } } },
    'responseCache.redis.external',
    /exclude each other/,
  ),
  pool(
    { accelerator: { type: 'H100x4' }, engine: { tensorParallelSize: 8 } },
    'engine',
    /exceeds the accelerators/,
  ),
  pool({ engine: { tensorParallelSize: 1, dataParallelSize: 2 } }, 'engine', /exceeds the accelerators/),
  pool(
    { accelerator: { type: 'A100', hourlyCost: '2.00', spotHourlyCost: '0.80' } },
    'accelerator.spotHourlyCost',
    /requires spot: true and hourlyCost/,
  ),
  pool(
    { capacity: { namespaceBudgets: [{ namespace: 'team', monthly: '100' }] } },
    'capacity.namespaceBudgets',
    /budgets of money need a price.*set accelerator.hourlyCost/,
  ),
  pool(
    {
      accelerator: { type: 'custom', custom: { resourceName: 'example.com/npu', count: 2, memoryGiB: 64 } },
      engine: { tensorParallelSize: 2, pipelineParallelSize: 2 },
    },
    'engine',
    /exceeds the accelerators/,
  ),
  ...engine(
    { pagedAttention: { gpuMemoryUtilization: '1.2' } },
    'pagedAttention.gpuMemoryUtilization',
    /above 0 and/,
  ),
  ...engine(
    { pagedAttention: { gpuMemoryUtilization: '.9' } },
    'pagedAttention.gpuMemoryUtilization',
    /use digits with or without a point/,
  ),
  ...engine(
    { pagedAttention: { gpuMemoryUtilization: '0.0' } },
    'pagedAttention.gpuMemoryUtilization',
    /above 0 and/,
  ),
  ...engine(
    { batching: { maxNumSeqs: 64, maxNumBatchedTokens: 32 } },
    'batching.maxNumBatchedTokens',
    /below maxNumSeqs/,
  ),
  ...['eagle3', 'dflash', 'custom_class'].flatMap((method) =>
    engine({ speculative: { method, numSpeculativeTokens: 3 } }, 'speculative.model', /needs a draft model/),
  ),
  ...engine(
    { speculative: { method: 'ngram', numSpeculativeTokens: 3, promptLookupMin: 4, promptLookupMax: 2 } },
    'speculative.promptLookupMin',
    /above promptLookupMax/,
  ),
  ...engine({ lora: { maxLoras: 4, maxCpuLoras: 2 } }, 'lora.maxCpuLoras', /below maxLoras/),
  ...engine(
    { extraArgs: ['--seed=1', '--tensor_parallel_size=2'] },
    'extraArgs',
    /--tensor-parallel-size repeats a typed setting: set engine.tensorParallelSize instead$/,
  ),
  ...engine({ extraArgs: ['-tp', '2'] }, 'extraArgs', /-tp repeats/),
  ...engine(
    { extraArgs: ['--speculative-config.method=ngram'] },
    'extraArgs',
    /set engine.speculative instead/,
  ),
  pool(
    { engine: { profile: 'Fast', profiles: [{ name: 'fast', settings: {} }] } },
    'engine.profile',
    /no profile of this name: use Throughput, Balanced, Latency, Safe or/,
  ),
  ...engine({ quantization: 'FP8' }, 'quantization', /use lower-case letters, .* such as fp8/),
  pool(
    { engine: { profiles: [{ name: 'Fast', settings: {} }] } },
    'engine.profiles[0].name',
    /not a DNS label: use lower-case letters/,
  ),
  model({ poolRef: { name: 'a100', namespace: 'Team_A' } }, 'poolRef.namespace', /not a DNS label/),
  model(
    {
      scaling: {
        schedules: [
          { name: 'day', start: '0 8 * * *', end: '0 18 * * *', timeZone: 'Berlin, Germany', minReplicas: 1 },
        ],
      },
    },
    'scaling.schedules[0].timeZone',
    /such as Europe\/Berlin/,
  ),
  ...engine({ extraArgs: ['--port=9000'] }, 'extraArgs', /set by the operator: remove it/),
  ...engine({ extraArgs: ['--seed 1'] }, 'extraArgs[0]', /one item/),
  ...engine(
    { env: [{ name: 'A', value: 'a', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }] },
    'env[0].valueFrom',
    /exclude each other/,
  ),
  ...degradation(
    [
      { queueAbove: 10, maxTokens: 100 },
      { queueAbove: 10, maxTokens: 99 },
    ],
    '',
    /same or a higher queueAbove.*never the active one: list the tiers/,
  ),
  ...degradation(
    [
      { p95Above: '60s', maxTokens: 100 },
      { queueAbove: 9, maxPromptTokens: 9 },
      { p95Above: '1m', maxTokens: 9 },
    ],
    '',
    /same or a higher p95Above/,
  ),
  ...degradation(
    [
      { queueAbove: 10, maxTokens: 100 },
      { queueAbove: 20, maxTokens: 100 },
    ],
    '',
    /higher maxTokens .*takes back a limit under more load: lower maxTokens/,
  ),
  ...degradation(
    [
      { queueAbove: 10, maxPromptTokens: 100 },
      { p95Above: '2s', maxPromptTokens: 200 },
    ],
    '',
    /higher maxPromptTokens/,
  ),
  ...degradation(
    [
      { queueAbove: 10, inFlightPercent: 50 },
      { queueAbove: 20, maxTokens: 5 },
      { queueAbove: 30, inFlightPercent: 60 },
    ],
    '',
    /higher inFlightPercent/,
  ),
  ...degradation([{ maxTokens: 100 }], '[0]', /no threshold.*: set queueAbove, p95Above or both/),
  ...degradation([{ queueAbove: 10 }], '[0]', /limits nothing: set maxTokens/),
  ...degradation([{ p95Above: '9ms', maxTokens: 1 }], '[0].p95Above', /from 10ms to 15m: set a duration/),
  ...degradation([{ p95Above: '16m', maxTokens: 1 }], '[0].p95Above', /from 10ms to 15m/),
  ...[pool, model].map((make) =>
    make(
      { admission: { adaptiveConcurrency: { min: 65 } } },
      'admission.adaptiveConcurrency.min',
      /min is above max: lower min to max, or raise max/,
    ),
  ),
  pool(
    { admission: { maxQueue: 10, degradation: [{ queueAbove: 10, maxTokens: 1 }] } },
    'admission.degradation',
    /queue never exceeds.*: lower queueAbove below maxQueue/,
  ),
  model(
    { model: { source: 'Qwen/Qwen2.5-7B' } },
    'model.source',
    /unknown model source 'Qwen\/Qwen2.5-7B': use hf:/,
  ),
  model(
    { model: { source: 'hf://Qwen/Qwen2.5-7B@main' } },
    'model.source',
    /'hf:\/\/Qwen\/Qwen2.5-7B@main' .*: use hf:\/\/org\/name, and move the rest to model.revision/,
  ),
  model({ model: { source: 'file:///models/../tmp' } }, 'model.source', /leads up: write it without/),
  ...engine(
    { lora: { adapters: [{ name: 'a', source: '/a/../b' }] } },
    'lora.adapters[0].source',
    /leads up: write it without/,
  ),
  ...engine(
    { lora: { adapters: [{ name: 'a', source: 'hf:///tmp/a' }] } },
    'lora.adapters[0].source',
    /not the id of a repository: use hf:/,
  ),
  model({ model: { source: 'hf://Qwen/Qwen2.5-7B:v1' } }, 'model.source', /move the rest to model.revision/),
  model({ model: { source: 'file://models/qwen' } }, 'model.source', /unknown model source/),
  model({ model: { source: 's3://b/p', revision: 'main' } }, 'model.revision', /only hf:.* have a revision/),
  model({ model: { source, cache: {} } }, 'model.cache', /exactly one of pvc and emptyDir/),
  model({ model: { source, cache: { emptyDir: {}, pvc: { size: '1Gi' } } } }, 'model.cache', /exactly one/),
  model({ model: { source, cache: { pvc: {} } } }, 'model.cache.pvc', /exactly one of claimName and size/),
  model(
    { model: { source, cache: { pvc: { claimName: 'c', accessModes: ['ReadWriteMany'] } } } },
    'model.cache.pvc.claimName',
    /a claim that the operator creates/,
  ),
  model(
    {
      model: { source, servedNames: ['a', 'b'] },
      engine: { lora: { adapters: [{ name: 'b', source: 'org/adapter' }] } },
    },
    'model.servedNames',
    /LoRA adapter has the name/,
  ),
  model(
    { scaling: { replicas: 1, minReplicas: 1 } },
    'scaling.replicas',
    /excludes the other scaling fields/,
  ),
  model({ scaling: { replicas: 1, mode: 'HPA' } }, 'scaling.replicas', /excludes the other scaling fields/),
  model({ scaling: { mode: 'External', maxReplicas: 3 } }, 'scaling.replicas', /requires replicas/),
  model({ scaling: { minReplicas: 3, maxReplicas: 2 } }, 'scaling.minReplicas', /above maxReplicas/),
  model(
    {
      scaling: {
        maxReplicas: 2,
        schedules: [{ name: 'a', start: '0 8 * * *', end: '0 9 * * *', minReplicas: 3 }],
      },
    },
    'scaling.schedules',
    /minimum above its maximum/,
  ),
  model(
    { scaling: { schedules: [{ name: 'a', start: '0 8 * * *', end: '0 9 * * *' }] } },
    'scaling.schedules[0]',
    /needs minReplicas or maxReplicas/,
  ),
  model(
    { scaling: { schedules: [{ name: 'a', start: 'at eight o clock', end: '0 9 * * *', maxReplicas: 3 }] } },
    'scaling.schedules[0].start',
    /not a cron expression/,
  ),
  model(
    { scaling: { schedules: [{ name: 'a', start: '0 8 * * *', end: '0 9 * * * *', maxReplicas: 3 }] } },
    'scaling.schedules[0].end',
    /not a cron expression/,
  ),
  model({ template: { labels: { 'vllm-operator.dev/model': 'x' } } }, 'template.labels', /sets itself/),
  model({ template: { labels: { 'app.kubernetes.io/instance': 'x' } } }, 'template.labels', /sets itself/),
  model(
    { template: { annotations: { 'vllm-operator.dev/engine-hash': 'x' } } },
    'template.annotations',
    /sets itself/,
  ),
  model(
    { template: { priorityClassName: 'system-node-critical' } },
    'template.priorityClassName',
    /use another PriorityClass/,
  ),
  model({ template: { envFrom: [{}] } }, 'template.envFrom[0]', /exactly one of secretRef/),
  pool(
    { router: { cors: { allowOrigins: ['https://a.example.com', '*'], allowCredentials: true } } },
    'router.cors.allowCredentials',
    /every page.*list the origins/,
  ),
  pool(
    { tracing: { endpoint: 'https://collector:4318' } },
    'tracing.endpoint',
    /do not send traces over TLS.*a collector in the cluster/,
  ),
  pool(
    { tracing: { endpoint: 'http://collector:4318', samplingPercent: '100.1' } },
    'tracing.samplingPercent',
    /above 100/,
  ),
  pool(
    { router: { autoscaling: { minReplicas: 3, maxReplicas: 2 } } },
    'router.autoscaling.minReplicas',
    /above maxReplicas/,
  ),
  pool({ router: { labels: { 'vllm-operator.dev/pool': 'x' } } }, 'router.labels', /sets itself/),
  pool({ router: { annotations: { 'vllm-operator.dev/a': 'x' } } }, 'router.annotations', /sets itself/),
  pool(
    { router: { priorityClassName: 'system-cluster-critical' } },
    'router.priorityClassName',
    /use another PriorityClass/,
  ),
  pool(
    { responseCache: { redis: { managed: { resources: { limits: { 'nvidia.com/gpu': '1' } } } } } },
    'responseCache.redis.managed.resources',
    /are set in the pool/,
  ),
  pool(
    { accelerator: { type: 'A100', resources: { memory: '1' } } },
    'accelerator.resources',
    /needs a domain in its name/,
  ),
  model(
    { template: { resources: { limits: { 'nvidia.com/gpu': '2' } } } },
    'template.resources',
    /are set in the pool/,
  ),
  model(
    { template: { env: [{ name: 'A', value: '', valueFrom: {} }] } },
    'template.env[0].valueFrom',
    /exclude each other/,
  ),
  pool(
    { accelerator: { type: 'A100', hourlyCost: '2,50' } },
    'accelerator.hourlyCost',
    /quotes, such as "0.90"/,
  ),
  pool({ router: { readTimeout: '5 minutes' } }, 'router.readTimeout', /such as 180s or 1h30m/),
  pool({ router: { maxBodySize: '6 GB' } }, 'router.maxBodySize', /such as 512Mi, 4Gi/),
  pool({ admission: { batchWindow: '100ms' } }, 'admission.batchWindow', /use 0ms, or 10ms to 50ms/),
  pool({ engine: { version: 'latest' } }, 'engine.version', /such as v0\.32\.0/),
  model({ admission: { queueTimeout: '1 min' } }, 'admission.queueTimeout', /such as 180s or 1h30m/),
  model({ admission: { batchWindow: '5ms' } }, 'admission.batchWindow', /use 0ms, or 10ms to 50ms/),
  model({ engine: { version: 'v1' } }, 'engine.version', /such as v0\.32\.0/),
  model(
    { scaling: { behavior: { scaleUp: { tolerance: '5%' } } } },
    'scaling.behavior.scaleUp.tolerance',
    /decimal/,
  ),
  model({ model: { source, servedNames: ['a b'] } }, 'model.servedNames[0]', /use letters, digits and/),
  model(
    { model: { source, cache: { emptyDir: { sizeLimit: '6 GB' } } } },
    'model.cache.emptyDir.sizeLimit',
    /such as 512Mi, 4Gi/,
  ),
  pool(
    { engine: { lora: { adapters: [{ name: 'a b', source }] } } },
    'engine.lora.adapters[0].name',
    /use letters, digits and/,
  ),
];
