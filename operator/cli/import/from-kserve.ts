/** InferenceServices of KServe. */
import {
  type Draft,
  type Fields,
  fieldsOf,
  isEmpty,
  NOT_HERE,
  note,
  setField,
  textOf,
  textsOf,
} from './draft.ts';
import { fromPodSpec } from './from-workload.ts';

/** Fields of the predictor that are not those of a pod. */
const APART: readonly string[] = [
  ...['minReplicas', 'maxReplicas', 'scaleTarget', 'scaleMetric', 'model', 'deploymentStrategy', 'timeout'],
  ...['containerConcurrency', 'canaryTrafficPercent', 'logger', 'batcher', 'workerSpec'],
];
const REMEDIES: Readonly<Record<string, string>> = {
  containerConcurrency: 'set spec.engine.batching.maxNumSeqs',
  canaryTrafficPercent: 'make a second model, and move clients to its name',
  workerSpec: 'use a node with enough accelerators: a replica is one pod on one node',
  timeout: 'set the timeout of clients; streams may take as long as they need',
};

/** `serving.kserve.io/v1beta1 InferenceService`: https://kserve.github.io/website/docs/reference/crd-api */
export function fromKServe(draft: Draft, object: Fields): void {
  const spec = fieldsOf(object.spec);
  const predictor = fieldsOf(spec.predictor);
  for (const name of ['transformer', 'explainer'])
    if (!isEmpty(spec[name]))
      note(
        draft,
        `spec.${name}`,
        undefined,
        NOT_HERE,
        'run it as a service of its own in front of the router',
      );
  for (const [name, remedy] of Object.entries(REMEDIES))
    if (!isEmpty(predictor[name])) note(draft, `spec.predictor.${name}`, predictor[name], NOT_HERE, remedy);
  readScaling(draft, predictor);
  const pod = Object.fromEntries(Object.entries(predictor).filter(([name]) => !APART.includes(name)));
  if (isEmpty(predictor.model)) fromPodSpec(draft, pod);
  else fromPodSpec(draft, { ...pod, containers: [containerOf(draft, fieldsOf(predictor.model))] });
}

function readScaling(draft: Draft, { minReplicas, maxReplicas, scaleTarget, scaleMetric }: Fields): void {
  if (minReplicas !== undefined || maxReplicas !== undefined) {
    setField(draft, 'scaling.minReplicas', minReplicas ?? 1);
    setField(draft, 'scaling.maxReplicas', Math.max(1, Number(maxReplicas ?? minReplicas ?? 1)));
  }
  if (scaleMetric === 'concurrency') setField(draft, 'scaling.target', scaleTarget);
  else if (scaleTarget !== undefined)
    note(
      draft,
      'spec.predictor.scaleTarget',
      scaleTarget,
      'models scale by requests in flight',
      'set spec.scaling.target',
    );
}

/** The container that the runtime of `predictor.model` starts, as one of `vllm serve`. */
function containerOf(draft: Draft, model: Fields): Fields {
  const { modelFormat, runtime, storageUri, storage, protocolVersion: _, ...container } = model;
  const format = textOf(fieldsOf(modelFormat).name);
  if (format !== undefined && !['huggingface', 'vllm'].includes(format.toLowerCase()))
    note(
      draft,
      'spec.predictor.model.modelFormat',
      format,
      'this operator runs vLLM',
      'serve a model that vLLM supports',
    );
  if (!isEmpty(runtime))
    note(draft, 'spec.predictor.model.runtime', runtime, NOT_HERE, 'compare its arguments with spec.engine');
  if (!isEmpty(storage))
    note(draft, 'spec.predictor.model.storage', undefined, NOT_HERE, 'set spec.model.source');
  const { args, name, id } = ownArguments(textsOf(container.args));
  const source = sourceOf(draft, textOf(storageUri)) ?? id;
  setField(draft, 'model.servedNames', [name ?? draft.name]);
  return { name: 'vllm', ...container, args: [...(source === undefined ? [] : [source]), ...args] };
}

/** `hf://org/name:revision` has the revision apart. */
function sourceOf(draft: Draft, uri: string | undefined): string | undefined {
  const [, id, revision] = /^(hf:\/\/[^:]+):(.+)$/.exec(uri ?? '') ?? [];
  setField(draft, 'model.revision', revision);
  return id ?? uri;
}

/** Arguments of KServe's server, which has names of its own for some. */
const OWN: readonly string[] = ['--model_name', '--model_id', '--backend', '--model_dir'];

function ownArguments(given: readonly string[]): { args: string[]; name?: string; id?: string } {
  const own = new Map<string, string>();
  const args: string[] = [];
  for (let at = 0; at < given.length; at += 1) {
    const word = given[at] ?? '';
    const [flag = '', ...inline] = word.split('=');
    const key = `--${flag.slice(2).replaceAll('-', '_')}`;
    if (!OWN.includes(key)) {
      args.push(word);
    } else if (inline.length > 0) {
      own.set(key, inline.join('='));
    } else {
      at += 1;
      own.set(key, given[at] ?? '');
    }
  }
  const name = own.get('--model_name');
  const id = own.get('--model_id');
  return { args, ...(name && { name }), ...(id && { id }) };
}
