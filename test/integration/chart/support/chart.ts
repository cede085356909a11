/** Renders the chart with the real Helm. */
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { helm, tryHelm } from '../../../../hack/kubectl/helm.ts';
import type { CommandResult } from '../../../../hack/kubectl/run-command.ts';
import type { KubeObject } from '../../../../operator/kube/object.ts';

const ROOT = join(import.meta.dirname, '../../../..');

export const CHART = join(ROOT, 'charts/vllm-operator');

/** Values as a user would write them into a file. */
export type Values = Record<string, unknown>;

const FROM_STDIN = ['--values', '-'];

/** What `helm template` prints. Throws an Error with what it said when it refuses. */
export async function renderText(values: Values = {}, release = 'vllm-operator'): Promise<string> {
  return await helm(['template', release, CHART, '--namespace', 'vllm-operator-system', ...FROM_STDIN], {
    input: stringify(values),
  });
}

/** The objects in it. */
export async function renderChart(values?: Values, release?: string): Promise<KubeObject[]> {
  return parseAllDocuments(await renderText(values, release)).map(
    (document) => document.toJS() as KubeObject,
  );
}

/** What `helm lint` says, warnings being errors. */
export async function lint(values: Values = {}): Promise<CommandResult> {
  return await tryHelm(['lint', '--strict', CHART, ...FROM_STDIN], { input: stringify(values) });
}

/** What Helm says of values that the schema refuses. Throws an Error when it takes them. */
export async function refusal(values: Values): Promise<string> {
  const { code, stderr } = await tryHelm(['template', 'vllm-operator', CHART, ...FROM_STDIN], {
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
