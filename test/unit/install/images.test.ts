/** What the Dockerfile says against what the code and the tests use. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { inferencePoolSpec } from '../../../operator/api/inference-pool.ts';
import { renderPool } from '../../../operator/render/pool.ts';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

/** The part of the Dockerfile that builds one image. */
function stage(name: string): string {
  const found = read('Dockerfile')
    .split(/^(?=FROM )/m)
    .find((text) => new RegExp(`^FROM \\S+ AS ${name}$`, 'm').test(text));
  if (found === undefined) throw new Error(`the Dockerfile has no stage ${name}`);
  return found;
}

interface Workload {
  kind: string;
  spec?: {
    template?: {
      spec: {
        securityContext: { runAsUser: number };
        containers: {
          image: string;
          ports: { containerPort: number }[];
          args?: string[];
          command?: string[];
        }[];
      };
    };
  };
}

function deployment(
  objects: unknown[],
  image: string,
): NonNullable<NonNullable<Workload['spec']>['template']>['spec'] {
  const specs = (objects as Workload[]).flatMap(({ spec }) => (spec?.template ? [spec.template.spec] : []));
  const found = specs.find(({ containers }) =>
    containers.some((container) => container.image.includes(image)),
  );
  if (!found) throw new Error(`no Deployment runs ${image}`);
  return found;
}

const router = deployment(
  renderPool({
    pool: {
      apiVersion: 'vllm-operator.dev/v1alpha1',
      kind: 'InferencePool',
      metadata: { name: 'pool', namespace: 'platform' },
      spec: inferencePoolSpec.parse({ accelerator: { type: 'L4' } }),
    },
    cluster: { operatorNamespace: 'vllm-operator-system' },
    routerFiles: {},
  }),
  '/router:',
);
const operator = deployment(
  parseAllDocuments(read('manifests/install.yaml')).map((document) => document.toJS()),
  '/operator:',
);

it.each([
  ['router', router],
  ['operator', operator],
])('runs the %s as the user and with the ports that the pod has', (name, pod) => {
  const text = stage(name);
  expect(text).toContain(`USER ${pod.securityContext.runAsUser}:`);
  const exposed = /^EXPOSE (.*)$/m.exec(text)?.[1]?.split(' ').map(Number);
  expect(exposed).toEqual(
    pod.containers.flatMap(({ ports }) => ports.map(({ containerPort }) => containerPort)),
  );
});

it('starts the router with the command of its pod, and the operator with the arguments of its own', () => {
  expect(stage('router')).toContain(
    `CMD ${JSON.stringify(router.containers[0]?.command).replaceAll(',', ', ')}`,
  );
  expect(stage('operator')).toContain(`CMD ${JSON.stringify(operator.containers[0]?.args)}`);
});
