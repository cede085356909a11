import { describe, expect, it } from 'vitest';
import { type InferenceModelSpec, inferenceModelSpec } from '../../../operator/api/inference-model.ts';
import { checkSharedClaims, claimNames, isBoundToOneNode } from '../../../operator/model/shared-claims.ts';
import { scalingOf } from './support/resolve.ts';

type Part = Record<string, unknown>;

const HF = 'hf://Qwen/Qwen2.5-0.5B-Instruct';
const CACHE = { source: HF, cache: { pvc: { claimName: 'weights' } } };
const SOURCE = { source: 'pvc://weights/qwen' };
const OWN = (accessModes?: string[]) => ({
  source: HF,
  cache: { pvc: { size: '10Gi', ...(accessModes && { accessModes }) } },
});
const VOLUME = (readOnly: boolean) => ({
  volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'weights', readOnly } }],
  volumeMounts: [{ name: 'data', mountPath: '/data' }],
});

function spec(model: Part, scaling?: Part, template?: Part): InferenceModelSpec {
  return inferenceModelSpec.parse({
    poolRef: { name: 'pool' },
    model,
    ...(scaling && { scaling }),
    ...(template && { template }),
  });
}

/** Fields of the issues where claim `weights` has these modes. */
function fields(model: InferenceModelSpec, modes?: string[]): string[] {
  return checkSharedClaims(model, scalingOf(model.scaling), () => modes).map(({ field }) => field);
}

const TWO = { replicas: 2 };
const RWO = ['ReadWriteOnce'];

describe('several replicas', () => {
  it.each<[string, InferenceModelSpec, string[] | undefined, string[]]>([
    ['on a claim of the user', spec(CACHE, TWO), RWO, ['spec.model.cache.pvc.claimName']],
    ['on one for a single pod', spec(CACHE, TWO), ['ReadWriteOncePod'], ['spec.model.cache.pvc.claimName']],
    ['on a source', spec(SOURCE, TWO), RWO, ['spec.model.source']],
    [
      'on a volume of the template',
      spec({ source: HF }, TWO, VOLUME(false)),
      ['ReadWriteOnce', 'ReadOnlyMany'],
      ['spec.template.volumes[0].persistentVolumeClaim.claimName'],
    ],
    ['on a claim of the operator', spec(OWN(), TWO), undefined, ['spec.model.cache.pvc.accessModes']],
    [
      'that a schedule asks for',
      spec(OWN(), {
        maxReplicas: 1,
        schedules: [{ name: 'day', start: '0 8 * * *', end: '0 20 * * *', maxReplicas: 3 }],
      }),
      undefined,
      ['spec.model.cache.pvc.accessModes'],
    ],
    [
      'without a limit',
      spec(OWN(), { mode: 'External', replicas: 1 }),
      undefined,
      ['spec.model.cache.pvc.accessModes'],
    ],
  ])('are refused %s', (_, model, modes, expected) => {
    expect(fields(model, modes)).toEqual(expected);
    expect(isBoundToOneNode(model, () => modes)).toBe(true);
  });

  it.each<[string, InferenceModelSpec, string[] | undefined]>([
    ['on a claim for many nodes', spec(CACHE, TWO), ['ReadWriteOnce', 'ReadWriteMany']],
    ['on a source that many nodes read', spec(SOURCE, TWO), ['ReadOnlyMany']],
    ['on a volume that is read', spec({ source: HF }, TWO, VOLUME(true)), ['ReadWriteOnce', 'ReadOnlyMany']],
    ['on a claim that is not there yet', spec(CACHE, TWO), undefined],
  ])('are taken %s', (_, model, modes) => {
    expect(fields(model, modes)).toEqual([]);
    expect(isBoundToOneNode(model, () => modes)).toBe(false);
  });
});

it('one replica is taken, and is bound to its node', () => {
  for (const model of [
    spec(CACHE),
    spec(SOURCE),
    spec(OWN(), { mode: 'External', replicas: 1, maxReplicas: 1 }),
  ]) {
    expect(fields(model, RWO)).toEqual([]);
    expect(isBoundToOneNode(model, () => RWO)).toBe(true);
  }
});

it('a cache that cannot be written to is refused', () => {
  expect(checkSharedClaims(spec(CACHE), scalingOf(undefined), () => ['ReadOnlyMany'])).toMatchObject([
    { field: 'spec.model.cache.pvc.claimName', remedy: expect.stringContaining('pvc://') },
  ]);
});

it('names only claims that users created', () => {
  expect(claimNames(spec(OWN()))).toEqual([]);
  expect(claimNames(spec(SOURCE, undefined, VOLUME(true)))).toEqual(['weights', 'weights']);
});
