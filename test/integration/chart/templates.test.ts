/** What the chart renders, as files to review (`UPDATE_GOLDEN=1` writes them anew), and what holds of all of it. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { toYaml } from '../../../operator/cli/render.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { kubernetesValidator } from '../../unit/render/support/kubernetes-schema.ts';
import { type PodSpec, violations } from '../../unit/render/support/restricted.ts';
import { CHART, lint, objectOf, renderChart, renderText } from './support/chart.ts';
import { VALUE_SETS } from './support/value-sets.ts';

const GOLDEN = new URL('./golden/', import.meta.url);
const update = process.env.UPDATE_GOLDEN === '1';
const names = Object.keys(VALUE_SETS);

interface Deployment extends KubeObject {
  spec: { selector: { matchLabels: object }; template: { metadata: { labels: object }; spec: PodSpec } };
}

const rendered = new Map<string, KubeObject[]>();
for (const name of names) rendered.set(name, await renderChart(VALUE_SETS[name]));

function objects(name: string): KubeObject[] {
  return rendered.get(name) ?? [];
}

const isDefinition = ({ kind }: KubeObject) => kind === 'CustomResourceDefinition';
const isDashboard = ({ kind, metadata }: KubeObject) =>
  kind === 'ConfigMap' && metadata.labels?.grafana_dashboard === '1';

describe.each(names)('with values of %s', (name) => {
  it('passes helm lint --strict', async () => {
    const { code, stdout, stderr } = await lint(VALUE_SETS[name]);
    expect(code, stdout + stderr).toBe(0);
  });

  it('renders what the golden file has', () => {
    const file = new URL(`${name}.yaml`, GOLDEN);
    const text = toYaml(objects(name).filter((object) => !isDefinition(object) && !isDashboard(object)));
    if (update) writeFileSync(file, text);
    expect(text).toBe(readFileSync(file, 'utf8'));
  });

  it('is what kube-apiserver 1.36 admits', () => {
    const validate = kubernetesValidator();
    const builtIn = objects(name).filter(
      ({ apiVersion }) => !apiVersion.startsWith('monitoring.coreos.com/'),
    );
    for (const object of builtIn)
      expect(validate(object), `${object.kind} ${object.metadata.name}`).toEqual([]);
  });

  it('keeps to PSS restricted, with a root file system that cannot change', () => {
    const { spec } = objectOf<Deployment>(objects(name), 'Deployment').spec.template;
    expect(violations(spec)).toEqual([]);
    expect(spec.containers[0]?.securityContext).toMatchObject({ readOnlyRootFilesystem: true });
  });

  it('has the label by which routers admit the operator', () => {
    const { selector, template } = objectOf<Deployment>(objects(name), 'Deployment').spec;
    expect(selector.matchLabels).toEqual({ 'app.kubernetes.io/name': 'vllm-operator' });
    expect(template.metadata.labels).toMatchObject(selector.matchLabels);
  });
});

it('has no other golden files', () => {
  expect(readdirSync(GOLDEN).sort()).toEqual(names.map((name) => `${name}.yaml`).sort());
});

it('renders the same each time', async () => {
  expect(await renderText(VALUE_SETS['all-overrides'])).toBe(await renderText(VALUE_SETS['all-overrides']));
});

it('has the dashboards of manifests/monitoring in ConfigMaps', () => {
  const directory = new URL('../../../manifests/monitoring/dashboards/', import.meta.url);
  const files = readdirSync(directory).map((name) => [name, readFileSync(new URL(name, directory), 'utf8')]);
  const maps = objects('monitoring').filter(isDashboard) as (KubeObject & { data: object })[];
  expect(Object.assign({}, ...maps.map(({ data }) => data))).toEqual(Object.fromEntries(files));
  expect(maps).toHaveLength(files.length);
  for (const { metadata } of maps) expect(metadata.annotations).toEqual({ grafana_folder: 'vLLM' });
});

describe('the definitions', () => {
  const committed = ['inferencemodels', 'inferencepools'].map(
    (plural) =>
      parse(
        readFileSync(new URL(`../../../crds/vllm-operator.dev_${plural}.yaml`, import.meta.url), 'utf8'),
      ) as KubeObject & { spec: object },
  );
  const specs = (of: KubeObject[]) =>
    of.filter(isDefinition).map((object) => (object as KubeObject & { spec: object }).spec);
  const annotations = (of: KubeObject[]) =>
    of.filter(isDefinition).map(({ metadata }) => metadata.annotations?.['helm.sh/resource-policy']);

  it('are those of crds/, and stay when the release goes', () => {
    expect(specs(objects('default'))).toEqual(committed.map(({ spec }) => spec));
    expect(annotations(objects('default'))).toEqual(['keep', 'keep']);
  });

  it('are deleted with the release or omitted, as the values configure', () => {
    expect(annotations(objects('all-overrides'))).toEqual([undefined, undefined]);
    expect(specs(objects('openshift'))).toEqual([]);
  });
});

describe('the rules', () => {
  /** Generated from what the parts of the operator say that they do. */
  const rules = parse(readFileSync(join(CHART, 'files/rules.yaml'), 'utf8')) as Record<string, object[]>;
  const rulesOf = (of: KubeObject[], kind: string, name: string) =>
    (of.find((object) => object.kind === kind && object.metadata.name === name) as { rules?: object[] })
      ?.rules;

  it('are those of the table', () => {
    const all = objects('default');
    expect(rulesOf(all, 'ClusterRole', 'vllm-operator')).toEqual([
      ...(rules.cluster ?? []),
      ...(rules.clusterMetricsApi ?? []),
    ]);
    expect(rulesOf(all, 'Role', 'vllm-operator')).toEqual([
      ...(rules.ownNamespace ?? []),
      ...(rules.ownNamespaceMetricsApi ?? []),
    ]);
    expect(rulesOf(all, 'ClusterRole', 'vllm-operator-view')).toEqual(rules.viewer);
    expect(rulesOf(all, 'ClusterRole', 'vllm-operator-edit')).toEqual(rules.editor);
  });

  it('have nothing of the metrics API where it is not served', () => {
    const all = objects('one-replica');
    expect(rulesOf(all, 'ClusterRole', 'vllm-operator')).toEqual(rules.cluster);
    expect(rulesOf(all, 'Role', 'vllm-operator')).toEqual(rules.ownNamespace);
    expect(all.some(({ metadata }) => metadata.namespace === 'kube-system')).toBe(false);
  });
});

it('names objects after the release, except those that a cluster has once', async () => {
  const named = (await renderChart({}, 'prod')).map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  expect(named).toContain('Deployment prod-vllm-operator');
  expect(named).toContain('ServiceAccount prod-vllm-operator');
  expect(named).toContain('ClusterRole vllm-operator');
});

it('names what to change when a ServiceMonitor has no Service', async () => {
  const values = { metrics: { service: { enabled: false }, serviceMonitor: { enabled: true } } };
  await expect(renderText(values)).rejects.toThrow('set metrics.service.enabled to true');
});
