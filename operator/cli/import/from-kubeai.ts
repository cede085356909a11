/** Models of KubeAI. */
import {
  type Draft,
  type Fields,
  fieldsOf,
  listOf,
  note,
  noteOthers,
  setField,
  textOf,
  textsOf,
} from './draft.ts';
import { readContainer } from './from-container.ts';

/** Fields of `spec`: those that are read below or say nothing here. */
const READ: readonly string[] = [
  ...[
    'engine',
    'url',
    'image',
    'args',
    'env',
    'envFrom',
    'adapters',
    'features',
    'owner',
    'priorityClassName',
  ],
  ...[
    'minReplicas',
    'maxReplicas',
    'replicas',
    'targetRequests',
    'scaleDownDelaySeconds',
    'autoscalingDisabled',
  ],
];
const REMEDIES: Readonly<Record<string, string>> = {
  cacheProfile: 'set spec.model.cache.pvc (docs/how-to/weight-cache.md)',
  files: 'put them into a ConfigMap, and mount it with spec.template.volumes',
  loadBalancing: 'set router.loadBalancing of the InferencePool',
  resourceProfile: 'use an InferencePool with that accelerator and number',
};

/** `kubeai.org/v1 Model`: https://www.kubeai.org/reference/kubernetes-api/ */
export function fromKubeAI(draft: Draft, object: Fields): void {
  const spec = fieldsOf(object.spec);
  const engine = textOf(spec.engine) ?? 'VLLM';
  if (engine !== 'VLLM')
    note(draft, 'spec.engine', engine, 'this operator runs vLLM', 'serve a model that vLLM supports');
  const [url = '', query] = (textOf(spec.url) ?? '').split('?');
  if (query) note(draft, 'spec.url', query, 'sources have no query', 'set spec.model.revision, or a path');
  const env = Object.entries(fieldsOf(spec.env)).map(([name, value]) => ({ name, value: String(value) }));
  const args = [...(url === '' ? [] : [url]), ...textsOf(spec.args)];
  readContainer(draft, { image: spec.image, args, env, envFrom: spec.envFrom }, []);
  setField(draft, 'template.priorityClassName', textOf(spec.priorityClassName));
  // What clients of KubeAI name: the object, and an adapter behind it.
  const name = textOf(fieldsOf(object.metadata).name) ?? draft.name;
  setField(draft, 'model.servedNames', [name]);
  const adapters = listOf(spec.adapters).map((adapter) => ({
    name: `${name}_${String(adapter.name)}`,
    source: adapter.url,
  }));
  setField(draft, 'engine.lora.adapters', adapters);
  readScaling(draft, spec);
  noteOthers(draft, spec, READ, { place: 'spec.', remedies: REMEDIES });
}

function readScaling(draft: Draft, spec: Fields): void {
  const { minReplicas, maxReplicas, replicas, targetRequests, scaleDownDelaySeconds: delay } = spec;
  if (spec.autoscalingDisabled === true) {
    setField(draft, 'scaling.replicas', replicas ?? 1);
    return;
  }
  setField(draft, 'scaling.minReplicas', minReplicas ?? 0);
  setField(draft, 'scaling.maxReplicas', maxReplicas ?? Math.max(1, Number(minReplicas ?? 0) || 1));
  if (maxReplicas === undefined)
    note(
      draft,
      'spec.maxReplicas',
      undefined,
      'without it KubeAI has no limit, and a model here needs one',
      'set spec.scaling.maxReplicas',
    );
  setField(draft, 'scaling.target', targetRequests);
  if (typeof delay === 'number') setField(draft, 'scaling.idleTimeout', `${Math.max(1, delay)}s`);
}
