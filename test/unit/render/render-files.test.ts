import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { renderFiles } from '../../../operator/cli/render.ts';
import type { Manifest } from '../../../operator/render/manifest.ts';
import { type CommandResult, fileWriter, withOutput } from './support/command.ts';

const EXAMPLES = join(import.meta.dirname, '../../../examples');

const file = fileWriter();

function run(...files: string[]): CommandResult & { manifests: Manifest[] } {
  const result = withOutput((output) => renderFiles(files, output));
  const documents = parseAllDocuments(result.out);
  return {
    ...result,
    manifests: documents.flatMap((document) => (document.toJS() as Manifest | null) ?? []),
  };
}

const pool = `
apiVersion: vllm-operator.dev/v1alpha1
kind: InferencePool
metadata: { name: a100, namespace: platform }
spec:
  accelerator: { type: A100 }
  allowedNamespaces: { from: Selector, selector: { matchLabels: { tier: ml } } }
`;
const namespace = `
apiVersion: v1
kind: Namespace
metadata: { name: team-a, labels: { tier: ml } }
`;
const model = (name: string, more = '') => `
apiVersion: vllm-operator.dev/v1alpha1
kind: InferenceModel
metadata: { name: ${name}, namespace: team-a }
spec:
  poolRef: { name: a100, namespace: platform }
  model: { source: 'hf://meta-llama/Llama-3.1-8B-Instruct' }
${more}`;

describe('renderFiles', () => {
  it.each(readdirSync(EXAMPLES).filter((name) => name.endsWith('.yaml')))('renders examples/%s', (name) => {
    const { code, err, manifests } = run(join(EXAMPLES, name));
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(manifests.filter(({ kind }) => kind === 'Deployment').length).toBeGreaterThanOrEqual(2);
    for (const { metadata } of manifests) expect(metadata).not.toHaveProperty('ownerReferences');
  });

  it('puts pools and models of several files together', () => {
    const { code, manifests } = run(
      file('pool.yaml', `${namespace}---${pool}`),
      file('model.yaml', model('llama')),
    );
    expect(code).toBe(0);
    const names = manifests
      .filter(({ kind }) => kind === 'Deployment')
      .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
    expect(names).toEqual(['platform/a100-redis', 'platform/a100-router', 'team-a/vllm-llama']);
  });

  it('prints the HPA of a model that one scales, and no other', () => {
    const ranged = model('ranged', '  scaling: { minReplicas: 1, maxReplicas: 4 }');
    const own = model('own', '  scaling: { minReplicas: 1, maxReplicas: 4, mode: Internal }');
    const { err, manifests } = run(
      file('all.yaml', [namespace, pool, ranged, own, model('one')].join('\n---')),
    );
    expect(err).toBe('');
    const found = manifests.filter(({ kind }) => kind === 'HorizontalPodAutoscaler');
    expect(found.map(({ metadata }) => metadata.name)).toEqual(['vllm-ranged']);
    expect(found[0]?.spec).toMatchObject({ minReplicas: 1, maxReplicas: 4 });
  });

  it('prints no secret and no usable password', () => {
    const { out } = run(file('all.yaml', [namespace, pool, model('llama')].join('---')));
    expect(out).not.toMatch(/PRIVATE KEY|kind: Secret/);
    expect(out).toContain(`#${'0'.repeat(64)}`);
  });

  it('takes lists as kubectl prints them', () => {
    const list = JSON.stringify({
      apiVersion: 'v1',
      kind: 'List',
      items: [pool, namespace, model('llama')].map((text) => parseAllDocuments(text)[0]?.toJS() as unknown),
    });
    expect(run(file('list.json', list)).code).toBe(0);
  });

  it.each<[string, () => string, RegExp]>([
    [
      'a model whose pool is not there',
      () => [namespace, model('llama')].join('---'),
      /InferenceModel team-a\/llama: spec\.poolRef: there is no InferencePool platform\/a100 in the files; add its file with another -f/,
    ],
    [
      'what the schema refuses',
      () => pool.replace('A100', 'X100'),
      /spec\.accelerator\.type "X100": unknown accelerator/,
    ],
    [
      'a field that does not exist',
      () => pool.replace('accelerator:', 'acelerator: 1\n  accelerator:'),
      /spec\.acelerator/,
    ],
    [
      'an engine that cannot run',
      () => [namespace, pool, model('llama', '  engine: { quantization: modelopt }\n')].join('---'),
      /spec\.engine\.quantization "modelopt": .*; use a pool of H100/,
    ],
    [
      'a schedule that only the cron library refuses',
      () =>
        [
          namespace,
          pool,
          model(
            'llama',
            "  scaling: { maxReplicas: 2, schedules: [{ name: day, start: '0 8 * * *', end: '0 25 * * *', minReplicas: 2 }] }\n",
          ),
        ].join('---'),
      /InferenceModel team-a\/llama: spec\.scaling\.schedules\[day\]\.end "0 25 \* \* \*": .*hour: 25; use /,
    ],
    [
      'a model that does not fit',
      () => [namespace, pool, model('llama').replace('Llama-3.1-8B', 'Llama-3.3-70B')].join('---'),
      /spec\.model\.source .*weights take .*; use a pool of /,
    ],
    [
      'a namespace that the pool does not admit',
      () => [pool, model('llama')].join('---'),
      /InferenceModel team-a\/llama: .*allowedNamespaces/,
    ],
    [
      'two models of one name',
      () =>
        [
          namespace,
          pool,
          model('a', '  engine: {}\n').replace('model: {', "model: { servedNames: ['x'],"),
          model('b').replace('model: {', "model: { servedNames: ['x'],"),
        ].join('---'),
      /InferenceModel team-a\/b: .*x/,
    ],
    [
      'a version that we do not know',
      () => pool.replace('v1alpha1', 'v2'),
      /unknown kind vllm-operator\.dev\/v2 InferencePool/,
    ],
    ['text that is no YAML', () => 'a: [', /not YAML/],
    ['nothing', () => namespace, /no InferencePool found/],
  ])('refuses %s and prints nothing', (_what, content, problem) => {
    const { code, out, err } = run(file('input.yaml', content()));
    expect(err).toMatch(problem);
    expect(code).toBe(1);
    expect(out).toBe('');
  });

  it('refuses a file that is not there', () => {
    expect(run('/nowhere/none.yaml')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/none\.yaml: cannot be read/),
    });
  });
});
