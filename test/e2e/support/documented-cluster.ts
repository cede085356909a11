/** What the documentation leaves to the reader: files, names in angle brackets, and what their cluster has. */
import { readFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { POOL_FINALIZER } from '../../../operator/controllers/pool/pool-reconciler.ts';
import { type Command, inRepository } from '../../support/documented-commands.ts';

/** Kinds of other projects that commands and manifests name. */
const FOREIGN = [
  ['monitoring.coreos.com', 'v1', 'ServiceMonitor'],
  ['monitoring.coreos.com', 'v1', 'PodMonitor'],
  ['monitoring.coreos.com', 'v1', 'PrometheusRule'],
  ['cert-manager.io', 'v1', 'Certificate'],
  ['keda.sh', 'v1alpha1', 'ScaledObject'],
] as const;

function definition([group, name, kind]: (typeof FOREIGN)[number]): object {
  const plural = `${kind.toLowerCase()}s`;
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, plural, singular: kind.toLowerCase() },
      versions: [{ name, served: true, storage: true, schema }],
    },
  };
}

const namespaces = ['monitoring', 'argocd', 'openshift-user-workload-monitoring'].map((name) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name },
}));
const argoCd = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'argocd-cm', namespace: 'argocd' } };

/** Several objects in one file. */
const manifest = (objects: readonly object[]): string =>
  objects.map((object) => stringify(object)).join('---\n');

/** A pool's routers at the address of their Service, which is one of this machine. */
const address = (service: string, namespace: string): string =>
  `$(kubectl -n ${namespace} get service ${service} -o jsonpath='{.spec.clusterIP}:{.spec.ports[0].port}')`;

const pool = (patch: string): string => `kubectl patch vpool shared -n platform --type=merge -p '${patch}'`;

/** What a cluster has before the first command, and what pages need beside what they say. Scripts run in the reader's shell. */
export const PREPARATIONS = {
  definitions: manifest([...FOREIGN.map(definition), ...namespaces, argoCd]),
  objects: stringify(
    vllmObject('InferenceModel', 'chat', 'team-a', {
      poolRef: { name: 'shared', namespace: 'platform' },
      model: { source: 'hf://Qwen/Qwen2.5-0.5B-Instruct' },
      scaling: { minReplicas: 1, maxReplicas: 2 },
    }),
  ),
  script: `kubectl apply -f more.yaml -f examples/keda.yaml
kubectl wait --for=condition=Ready vmodel/chat -n team-a --timeout=5m
until kubectl get hpa vllm-chat -n team-a; do sleep 0.1; done`,
  before: {
    'docs/how-to/api-keys.md': pool('{"spec":{"router":{"auth":{"mode":"APIKey"}}}}'),
    'docs/how-to/clients.md': pool('{"spec":{"router":{"auth":null}}}'),
    'examples/a100.yaml': 'kubectl -n platform delete secret huggingface --ignore-not-found',
    'docs/how-to/private-models.md': 'kubectl -n team-a delete secret huggingface --ignore-not-found',
  } as Readonly<Record<string, string>>,
};

/** Commands that a reader gives in another situation than that after the command before, and what leads to it. */
const SITUATIONS: readonly [command: RegExp, script: string][] = [
  [
    /^kubectl delete inferencemodels\.vllm-operator\.dev --all/,
    // Without its roles the last leader may not have given up the Lease, and it would be waited for.
    `kubectl wait --for=delete pods -l app.kubernetes.io/name=vllm-operator -n vllm-operator-system
kubectl delete lease vllm-operator -n vllm-operator-system
helm install vllm-operator charts/vllm-operator --namespace vllm-operator-system --wait`,
  ],
  [
    // A router logs requests, and only one of them is asked for its log.
    /^kubectl logs .*deployment\/<pool>-router/,
    `until kubectl logs -n platform deployment/shared-router | grep .; do
  curl http://${address('shared-router', 'platform')}/v1/models
done`,
  ],
  [
    // The first minute of a model is recorded when it is over.
    /^kubectl get inferencemodel .*status\.usage/,
    `until kubectl get inferencemodel chat -n team-a -o jsonpath='{.status.usage}' | grep .; do sleep 0.1; done`,
  ],
  [/^kubectl delete -f manifests\/install\.yaml /, 'kubectl apply --server-side -f manifests/install.yaml'],
  [
    /^kubectl patch vpool <name> .*"finalizers":null/,
    `kubectl apply --server-side -f crds/
until kubectl apply -f pool.yaml; do sleep 0.1; done
kubectl delete -f pool.yaml --wait=false`,
  ],
];

function vllmObject(kind: string, name: string, namespace: string, spec: object): object {
  return { apiVersion: 'vllm-operator.dev/v1alpha1', kind, metadata: { name, namespace }, spec };
}

/** Files that readers have of their own. */
const FILES: Readonly<Record<string, Record<string, string>>> = {
  'docs/how-to/accelerators.md': {
    'model.yaml': manifest([
      vllmObject('InferencePool', 'l4', 'default', { accelerator: { type: 'L4' } }),
      vllmObject('InferenceModel', 'own', 'default', {
        poolRef: { name: 'l4' },
        model: { source: 'hf://acme/own' },
      }),
    ]),
    'config.json': JSON.stringify({
      architectures: ['LlamaForCausalLM'],
      hidden_size: 2048,
      intermediate_size: 8192,
      max_position_embeddings: 8192,
      model_type: 'llama',
      num_attention_heads: 32,
      num_hidden_layers: 16,
      num_key_value_heads: 8,
      torch_dtype: 'bfloat16',
      vocab_size: 128256,
    }),
  },
  'docs/troubleshooting.md': {
    'model.yaml': stringify(
      vllmObject('InferenceModel', 'another', 'team-a', {
        poolRef: { name: 'a100', namespace: 'platform' },
        model: { source: 'hf://Qwen/Qwen2.5-7B-Instruct' },
      }),
    ),
  },
  'docs/how-to/install.md': {
    'pool.yaml': stringify({
      ...vllmObject('InferencePool', 'shared', 'platform', { accelerator: { type: 'L4' } }),
      metadata: { name: 'shared', namespace: 'platform', finalizers: [POOL_FINALIZER] },
    }),
  },
};

/** Files that a page tells its reader to save, and others that they have. */
export function savedFiles(page: string): Record<string, string> {
  const text = readFileSync(inRepository(page), 'utf8');
  const saved = text.matchAll(/^```yaml\n(.*?)^```\n\nSave it as `([\w.-]+)`/gms);
  return {
    ...FILES[page],
    ...Object.fromEntries([...saved].map(([, content = '', name = '']) => [name, content])),
  };
}

/** Where this cluster, or a test, differs from what the reader has. */
const ADAPTATIONS: readonly [pattern: RegExp, script: string][] = [
  // devcluster forwards no ports, and its cluster IPs are addresses of this machine.
  [
    /^kubectl port-forward (.*?)service\/(\S+) 8080:(\d+) &$/,
    `export forwarded=$(kubectl $1get service $2 -o jsonpath='{.spec.clusterIP}:{.spec.ports[?(@.port==$3)].port}'); echo $forwarded`,
  ],
  [/'http:\/\/localhost:8080\/v1'/, '`http://$${process.env.forwarded}/v1`'],
  [/localhost:8080/, '$forwarded'],
  // The other way to install; a release of the chart is there already.
  [/^(kubectl apply .*manifests\/install\.yaml)$/, '$1 --dry-run=server --force-conflicts'],
  // Commands that would never end.
  [/^(kubectl .*) --(?:follow|watch)$/, '$1'],
  [
    /^(npm run devcluster\b.*)$/,
    'rm -f up.txt; $1 >up.txt & until grep "The cluster is up" up.txt; do kill -0 $!; sleep 0.1; done; kill $!; wait $!',
  ],
  // No container has ended before.
  [/^(kubectl logs .*) --previous$/, '$1'],
  // The published chart is the one of this checkout.
  [/oci:\/\/ghcr\.io\/vllm-operator\/charts\/vllm-operator --version 0\.1\.0/, 'charts/vllm-operator'],
  [/sha256:…/, `sha256:${'0123456789abcdef'.repeat(4)}`],
  // A reader copies the key from the terminal. Routers know it a moment after it was applied.
  [/^(npx vllm-operator key create .*)$/, '$1 2>key.txt'],
  [/^(curl .*)\$KEY"$/, 'until $1$(head -n1 key.txt)"; do sleep 0.1; done'],
];

/** What leads to the situation in which a reader gives the command; undefined when they go on from the one before. */
export const situationOf = ({ text }: Command): string | undefined =>
  SITUATIONS.find(([command]) => command.test(text))?.[1];

/** The shell's script for a command: names for those in angle brackets, addresses for those that only the reader has. */
export function adapted({ text }: Command): string {
  const ofPool = /<pool>|component=(?:router|cache)|vpool|networkpolicy|certificates/.test(text);
  const filled = text
    .replaceAll('<namespace of the pool>', 'platform')
    .replaceAll('<namespace of the model>', 'team-a')
    .replaceAll('<namespace>', ofPool ? 'platform' : 'team-a')
    .replaceAll('<pool>', 'shared')
    .replaceAll(/<(?:model|name)>/g, ofPool ? 'shared' : 'chat')
    .replaceAll('shared-router.platform.svc', address('shared-router', 'platform'))
    .replaceAll('https://models.example.com', `http://${address('shared-router', 'platform')}`);
  return ADAPTATIONS.reduce((script, [pattern, replacement]) => script.replace(pattern, replacement), filled);
}
