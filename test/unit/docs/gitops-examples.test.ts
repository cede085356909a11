/** The examples for Argo CD and Flux agree with the chart, and promise what the documentation says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';

const root = join(import.meta.dirname, '../../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const chart = parse(read('charts/vllm-operator/Chart.yaml')) as { version: string };
const validValues = new Ajv({ strict: false }).compile(
  JSON.parse(read('charts/vllm-operator/values.schema.json')) as object,
);

interface Manifest {
  kind: string;
  metadata: { name: string };
  // biome-ignore lint/suspicious/noExplicitAny: definitions of others, of which a few fields are read.
  spec: any;
}
const manifests = (file: string): Manifest[] =>
  parseAllDocuments(read(file)).map((document) => document.toJS() as Manifest);

describe('the example for Argo CD', () => {
  const all = manifests('examples/gitops/argo-cd.yaml');
  const applications = all.filter(({ kind }) => kind === 'Application');

  test('installs this version of the chart, with values that the chart takes', () => {
    const [operator] = applications as [Manifest, ...Manifest[]];
    const { source } = operator.spec as {
      source: { targetRevision: string; helm: { valuesObject: object } };
    };
    expect(source.targetRevision).toBe(chart.version);
    expect(validValues(source.helm.valuesObject), JSON.stringify(validValues.errors)).toBe(true);
  });

  test('applies on the server and ignores nothing', () => {
    for (const { spec } of applications) {
      expect(spec.syncPolicy.syncOptions).toContain('ServerSideApply=true');
      expect(spec).not.toHaveProperty('ignoreDifferences');
    }
  });

  test('has in its project all that the chart installs for the whole cluster', () => {
    const project = all.find(({ kind }) => kind === 'AppProject') as Manifest;
    const allowed = (project.spec.clusterResourceWhitelist as { kind: string }[]).map(({ kind }) => kind);
    const rendered = parseAllDocuments(read('manifests/install.yaml')).map(
      (document) => document.toJS() as Manifest & { metadata: { namespace?: string } },
    );
    const clusterWide = rendered
      .filter(({ metadata }) => metadata.namespace === undefined)
      .map(({ kind }) => kind);
    expect(allowed).toEqual(expect.arrayContaining([...new Set(clusterWide)]));
  });
});

describe('the example for Flux', () => {
  const all = manifests('examples/gitops/flux.yaml');
  const named = (kind: string, name: string) =>
    all.find((one) => one.kind === kind && one.metadata.name === name);

  test('installs this version of the chart, with values that the chart takes', () => {
    expect(named('OCIRepository', 'vllm-operator')?.spec.ref.tag).toBe(chart.version);
    const values = named('HelmRelease', 'vllm-operator')?.spec.values as object;
    expect(validValues(values), JSON.stringify(validValues.errors)).toBe(true);
  });

  test('refers to nothing that it does not have', () => {
    for (const { kind, spec } of all) {
      for (const { name } of (spec.dependsOn ?? []) as { name: string }[])
        expect(named(kind, name)).toBeDefined();
      const reference = (spec.sourceRef ?? spec.chartRef) as { kind: string; name: string } | undefined;
      if (reference) expect(named(reference.kind, reference.name)).toBeDefined();
    }
  });
});
