/** Models in the values of the vLLM production stack. */
import { boundsOf } from './autoscaler-bounds.ts';
import {
  type Draft,
  type Fields,
  fieldsOf,
  isEmpty,
  listOf,
  NOT_HERE,
  note,
  noteOthers,
  ownOf,
  setField,
  textOf,
  textsOf,
} from './draft.ts';
import { fromPodSpec } from './from-workload.ts';

const READ: readonly string[] = [
  ...['name', 'enabled', 'repository', 'tag', 'modelURL', 'replicaCount', 'vllmConfig', 'env', 'hf_token'],
  ...['chatTemplate', 'envFromSecret', 'enableLoRA', 'keda', 'annotations', 'podAnnotations', 'affinity'],
  ...['requestCPU', 'requestMemory', 'requestGPU', 'requestGPUType', 'limitCPU', 'limitMemory', 'resources'],
  ...['pvcStorage', 'storageClass', 'pvcAccessMode', 'pvcLabels', 'pvcAnnotations', 'imagePullSecret'],
  ...['nodeSelector', 'nodeSelectorTerms', 'tolerations', 'tolerationsPolicy', 'runtimeClassName'],
  ...['priorityClassName', 'serviceAccountName', 'extraVolumes', 'extraVolumeMounts'],
];
const REMEDIES: Readonly<Record<string, string>> = {
  lmcacheConfig:
    'set spec.engine.pagedAttention.swapSpaceGiB, or --kv-transfer-config in spec.engine.extraArgs',
  vllmApiKey: 'use router.auth of the InferencePool (docs/how-to/api-keys.md)',
  shmSize: 'nothing to do: engines have shared memory',
  raySpec: 'use a node with enough accelerators: a replica is one pod on one node',
};
/** Keys of `vllmConfig` and their flags. */
const FLAGS: Readonly<Record<string, string>> = {
  dtype: 'dtype',
  enableChunkedPrefill: 'enable-chunked-prefill',
  enablePrefixCaching: 'enable-prefix-caching',
  gpuMemoryUtilization: 'gpu-memory-utilization',
  maxLoras: 'max-loras',
  maxModelLen: 'max-model-len',
  maxNumSeqs: 'max-num-seqs',
  pipelineParallelSize: 'pipeline-parallel-size',
  tensorParallelSize: 'tensor-parallel-size',
  runner: 'runner',
  convert: 'convert',
};
/** Keys without a flag: which engine of vLLM runs, of which there is only one now, and other arguments. */
const APART: readonly string[] = ['v0', 'v1', 'extraArgs'];

/** One entry of `servingEngineSpec.modelSpec`; `shared` is what surrounds it. */
export function fromProductionStack(draft: Draft, entry: Fields, shared: Fields): void {
  const repository = textOf(entry.repository);
  const image = repository === undefined ? undefined : `${repository}:${textOf(entry.tag) ?? 'latest'}`;
  const args = [textOf(entry.modelURL) ?? '', ...argumentsOf(draft, fieldsOf(entry.vllmConfig))];
  if (entry.enableLoRA === true) args.push('--enable-lora');
  const container = {
    name: 'vllm',
    image,
    args: args.filter((word) => word !== ''),
    env: [...listOf(entry.env), ...tokenOf(entry.hf_token)],
    envFrom: isEmpty(entry.envFromSecret) ? [] : [{ secretRef: entry.envFromSecret }],
    imagePullPolicy: shared.imagePullPolicy,
    resources: resourcesOf(entry),
    volumeMounts: entry.extraVolumeMounts,
  };
  fromPodSpec(draft, { ...podOf(entry, shared), containers: [container] });
  setField(draft, 'template.annotations', entry.podAnnotations);
  readReplicas(draft, entry);
  const { pvcStorage: size, storageClass: storageClassName, pvcAccessMode: accessModes } = entry;
  if (textOf(size)) setField(draft, 'model.cache.pvc', given({ size, storageClassName, accessModes }));
  if (textOf(entry.chatTemplate))
    note(
      draft,
      'chatTemplate',
      undefined,
      'templates are files',
      'put it into a ConfigMap, mount it with spec.template.volumes, and add --chat-template to spec.engine.extraArgs',
    );
  if (!isEmpty(shared.vllmApiKey)) note(draft, 'vllmApiKey', undefined, NOT_HERE, REMEDIES.vllmApiKey ?? '');
  const isRay = fieldsOf(entry.raySpec).enabled === true;
  noteOthers(draft, entry, isRay ? READ : [...READ, 'raySpec'], { remedies: REMEDIES });
}

function readReplicas(draft: Draft, { name, keda, replicaCount }: Fields): void {
  const scaler = fieldsOf(keda);
  const spec = { ...scaler, scaleTargetRef: { name } };
  const bounds = scaler.enabled === true ? boundsOf({ kind: 'ScaledObject', spec }) : undefined;
  if (bounds !== undefined) setField(draft, 'scaling', bounds.scaling);
  else if (typeof replicaCount === 'number' && replicaCount !== 1)
    setField(draft, 'scaling.replicas', replicaCount);
}

/** `resources` wins over the simple fields. */
function resourcesOf(entry: Fields): Fields {
  if (!isEmpty(entry.resources)) return fieldsOf(entry.resources);
  const accelerator = textOf(entry.requestGPUType) ?? 'nvidia.com/gpu';
  return {
    requests: given({ cpu: entry.requestCPU, memory: entry.requestMemory, [accelerator]: entry.requestGPU }),
    limits: given({ cpu: entry.limitCPU, memory: entry.limitMemory }),
  };
}

/** The pod that the chart makes, from the entry and what all entries share. */
function podOf(entry: Fields, shared: Fields): Fields {
  const terms = listOf(entry.nodeSelectorTerms);
  const nodes = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } };
  const secret = textOf(entry.imagePullSecret);
  const own = listOf(entry.tolerations);
  return {
    nodeSelector: entry.nodeSelector,
    affinity: isEmpty(entry.affinity) && terms.length > 0 ? { nodeAffinity: nodes } : entry.affinity,
    tolerations: entry.tolerationsPolicy === 'override' ? own : [...listOf(shared.tolerations), ...own],
    runtimeClassName: textOf(entry.runtimeClassName) ?? textOf(shared.runtimeClassName),
    priorityClassName: textOf(entry.priorityClassName),
    serviceAccountName: textOf(entry.serviceAccountName),
    schedulerName: textOf(shared.schedulerName),
    securityContext: shared.securityContext,
    imagePullSecrets: secret === undefined ? [] : [{ name: secret }],
    volumes: entry.extraVolumes,
  };
}

function given(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== ''),
  );
}

/** The token as a variable: text, or a Secret and a key in it. */
function tokenOf(token: unknown): Fields[] {
  const { secretName: name, secretKey: key } = fieldsOf(token);
  if (textOf(name)) return [{ name: 'HF_TOKEN', valueFrom: { secretKeyRef: { name, key } } }];
  return textOf(token) ? [{ name: 'HF_TOKEN', value: token }] : [];
}

function argumentsOf(draft: Draft, config: Fields): string[] {
  const args = textsOf(config.extraArgs);
  for (const [name, value] of Object.entries(config)) {
    if (APART.includes(name) || isEmpty(value)) continue;
    const flag = ownOf(FLAGS, name);
    if (flag === undefined)
      note(draft, `vllmConfig.${name}`, value, NOT_HERE, 'add its flag to spec.engine.extraArgs');
    else if (typeof value === 'boolean') args.push(value ? `--${flag}` : `--no-${flag}`);
    else args.push(`--${flag}=${String(value)}`);
  }
  return args;
}
