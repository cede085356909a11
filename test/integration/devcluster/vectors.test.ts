import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../../hack/devcluster/cluster.ts';
import { type Deviation, replay } from './support/replay.ts';
import { loadVectors } from './support/vectors.ts';

/** Steps that are compared, of the whole recording. */
const STEPS = 222;

const vectors = loadVectors();
const compared = new Map<string, number>();
let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ autoscalerPeriodMs: 500 });
});

afterAll(async () => {
  await cluster.close();
});

async function play(name: string): Promise<Deviation[]> {
  const scenario = vectors.scenarios.find((each) => each.name === name);
  if (!scenario) throw new Error(`no scenario ${name}`);
  const namespace = `replay-${name}`;
  const made = await fetch(`${cluster.url}/api/v1/namespaces`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }),
  });
  expect(made.status).toBe(201);
  const result = await replay(cluster.url, scenario, namespace);
  compared.set(name, result.compared);
  return result.deviations;
}

describe('answers like kube-apiserver 1.36', () => {
  // This scenario makes the custom resource that the others use.
  test('crd-install', async () => {
    expect(await play('crd-install')).toEqual([]);
  });

  describe.concurrent('in namespaces of their own', () => {
    const names = vectors.scenarios.map(({ name }) => name).filter((name) => name !== 'crd-install');
    test.each(names)('%s', async (name) => {
      expect(await play(name)).toEqual([]);
    });
  });

  test('every recorded step was compared', () => {
    expect([...compared.values()].reduce((sum, count) => sum + count, 0)).toBe(STEPS);
  });
});
