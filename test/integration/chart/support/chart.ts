/** Renders the chart with the real Helm. */
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { helm, tryHelm } from '../../../../hack/kubectl/helm.ts';
import type { CommandResult } from '../../../../hack/kubectl/kubectl.ts';
import type { KubeObject } from '../../../../operator/kube/object.ts';

const ROOT = join(import.meta.dirname, '../../../..');

export const CHART = join(ROOT, 'charts/vllm-operator');

/** Values as a user would write them into a file. */
export type Values = Record<string, unknown>;

const FROM_STDIN = ['--values', '-'];

/** What `helm template` prints. Throws an Error with what it said when it refuses. */
export function renderText(values: Values = {}, release = 'vllm-operator'): string {
  return helm(['template', release, CHART, '--namespace', 'vllm-operator-system', ...FROM_STDIN], {
    input: stringify(values),
  });
}

/** The objects in it. */
export function renderChart(values?: Values, release?: string): KubeObject[] {
  return parseAllDocuments(renderText(values, release)).map((document) => document.toJS() as KubeObject);
}

/** What `helm lint` says, warnings being errors. */
export function lint(values: Values = {}): CommandResult {
  return tryHelm(['lint', '--strict', CHART, ...FROM_STDIN], { input: stringify(values) });
}

/** What Helm says of values that the schema refuses. Throws an Error when it takes them. */
export function refusal(values: Values): string {
  const { code, stderr } = tryHelm(['template', 'vllm-operator', CHART, ...FROM_STDIN], {
    input: stringify(values),
  });
  if (code === 0) throw new Error('the values are taken');
  return stderr;
}

/** The first object of a kind. */
export function objectOf<T extends KubeObject>(objects: readonly KubeObject[], kind: string): T {
  const found = objects.find((object) => object.kind === kind);
  if (!found) throw new Error(`the chart has no ${kind}`);
  return found as T;
}
