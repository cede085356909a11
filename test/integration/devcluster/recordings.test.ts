import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../../hack/devcluster/cluster.ts';
import { exceptionsOf } from './support/exceptions.ts';
import { loadRecording, RECORDINGS, type Scenario } from './support/recordings.ts';
import { type Deviation, replay } from './support/replay.ts';

/** Steps that are compared, of each whole recording. */
const STEPS = { widgets: 222, gadgets: 80, crates: 508 };

describe.each(RECORDINGS)('answers like kube-apiserver 1.36: %s', (recording) => {
  const { scenarios } = loadRecording(recording);
  const counts = new Map<string, { compared: number; alike: number }>();
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster({ autoscalerPeriodMs: 500 });
  });

  afterAll(async () => {
    const lines = [...counts].map(([name, { compared, alike }]) => `  ${name} ${alike}/${compared}`);
    console.log([`${recording}: steps alike`, ...lines.sort()].join('\n'));
    await cluster.close();
  });

  /** Deviations that are no exceptions, and exceptions that do not deviate. */
  async function play(scenario: Scenario): Promise<(Deviation | string)[]> {
    const namespace = `replay-${scenario.name}`;
    await createNamespace(cluster.url, namespace);
    const { compared, deviations } = await replay(cluster.url, scenario, namespace);
    counts.set(scenario.name, { compared, alike: compared - deviations.length });
    const exceptions = exceptionsOf(scenario.name);
    const deviating = new Set(deviations.map(({ step }) => step));
    return [
      ...deviations.filter(({ step }) => !exceptions.has(step)),
      ...[...exceptions.keys()].filter((step) => !deviating.has(step)).map((step) => `${step} is alike`),
    ];
  }

  // One after another, as they were recorded: some change what the whole cluster has.
  test.each(scenarios)('$name', async (scenario) => {
    expect(await play(scenario)).toEqual([]);
  });

  test('every recorded step was compared', () => {
    expect([...counts.values()].reduce((sum, { compared }) => sum + compared, 0)).toBe(STEPS[recording]);
  });
});

async function createNamespace(url: string, name: string): Promise<void> {
  const made = await fetch(`${url}/api/v1/namespaces`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }),
  });
  expect(made.status).toBe(201);
}
