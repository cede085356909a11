/** Models in the values of the vLLM production stack. */
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
import { readContainer } from './from-container.ts';
import { readResources } from './from-workload.ts';

const READ: readonly string[] = [
  ...[
    'name',
    'repository',
    'tag',
    'modelURL',
    'replicaCount',
    'vllmConfig',
    'env',
    'hf_token',
    'chatTemplate',
  ],
  ...['requestCPU', 'requestMemory', 'requestGPU', 'requestGPUType', 'limitCPU', 'limitMemory'],
  ...['pvcStorage', 'storageClass', 'pvcAccessMode', 'nodeSelector', 'tolerations', 'imagePullSecret'],
];
const REMEDIES: Readonly<Record<string, string>> = {
  lmcacheConfig:
    'set spec.engine.pagedAttention.swapSpaceGiB, or --kv-transfer-config in spec.engine.extraArgs',
  vllmApiKey: 'use router.auth of the InferencePool (docs/how-to/api-keys.md)',
  shmSize: 'nothing to do: engines have shared memory',
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
};

/** One entry of `servingEngineSpec.modelSpec`; `shared` is what surrounds it. */
export function fromProductionStack(draft: Draft, entry: Fields, shared: Fields): void {
  const repository = textOf(entry.repository);
  const image = repository === undefined ? undefined : `${repository}:${textOf(entry.tag) ?? 'latest'}`;
  const args = [textOf(entry.modelURL) ?? '', ...argumentsOf(draft, fieldsOf(entry.vllmConfig))];
  const env = [...listOf(entry.env), ...tokenOf(entry.hf_token)];
  readContainer(draft, { image, args: args.filter((word) => word !== ''), env }, []);
  if (typeof entry.replicaCount === 'number' && entry.replicaCount !== 1)
    setField(draft, 'scaling.replicas', entry.replicaCount);
  readPod(draft, entry, shared);
  if (textOf(entry.chatTemplate))
    note(
      draft,
      'chatTemplate',
      undefined,
      'templates are files',
      'put it into a ConfigMap, mount it with spec.template.volumes, and add --chat-template to spec.engine.extraArgs',
    );
  if (!isEmpty(shared.vllmApiKey)) note(draft, 'vllmApiKey', undefined, NOT_HERE, REMEDIES.vllmApiKey ?? '');
  noteOthers(draft, entry, READ, { remedies: REMEDIES });
}

function readPod(draft: Draft, entry: Fields, shared: Fields): void {
  const accelerator = textOf(entry.requestGPUType) ?? 'nvidia.com/gpu';
  readResources(draft, {
    requests: given({ cpu: entry.requestCPU, memory: entry.requestMemory, [accelerator]: entry.requestGPU }),
    limits: given({ cpu: entry.limitCPU, memory: entry.limitMemory }),
  });
  const { pvcStorage: size, storageClass: storageClassName, pvcAccessMode: accessModes } = entry;
  if (textOf(size)) setField(draft, 'model.cache.pvc', given({ size, storageClassName, accessModes }));
  setField(draft, 'template.nodeSelector', entry.nodeSelector);
  setField(draft, 'template.tolerations', entry.tolerations ?? shared.tolerations);
  setField(draft, 'template.runtimeClassName', textOf(shared.runtimeClassName));
  const secret = textOf(entry.imagePullSecret);
  if (secret) setField(draft, 'template.imagePullSecrets', [{ name: secret }]);
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
    if (name === 'extraArgs' || name === 'v1' || isEmpty(value)) continue;
    const flag = ownOf(FLAGS, name);
    if (flag === undefined)
      note(draft, `vllmConfig.${name}`, value, NOT_HERE, 'add its flag to spec.engine.extraArgs');
    else if (typeof value === 'boolean') args.push(value ? `--${flag}` : `--no-${flag}`);
    else args.push(`--${flag}=${String(value)}`);
  }
  return args;
}
