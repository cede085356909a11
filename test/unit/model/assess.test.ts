/** The one pipeline of admission: what each check says, in which order, and what it needs of the cluster. */
import { describe, expect, it } from 'vitest';
import type { InferencePool } from '../../../operator/api/types.ts';
import { type Assessment, assess, type Blocked, type Surroundings } from '../../../operator/model/assess.ts';
import { describeIssues } from '../../../operator/values/spec-issue.ts';
import { aModel, aPool } from '../controllers/fixtures.ts';
import { resolutionOf } from './support/resolve.ts';

const CREATED = Date.parse('2026-01-01T00:00:00Z');
const pool = aPool();
const going = aPool({}, { deletionTimestamp: '2026-01-02T00:00:00Z' });
const taken = {
  accepted: false as const,
  reason: 'ServedNameConflict' as const,
  issue: { field: 'spec.model.servedNames', value: 'chat', reason: 'it is served', remedy: 'choose another' },
};
const schedule = (name: string) => ({ name, start: '0 0 31 4 *', end: '0 9 * * *', maxReplicas: 2 });
const cache = (claim: object) => ({ model: { source: 'hf://a/b', cache: { pvc: claim } } });

function assessed(
  spec: Record<string, unknown> = {},
  { found = pool, ...more }: Partial<Surroundings> & { found?: InferencePool | undefined } = {},
): Assessment {
  return assess(aModel('chat', spec), {
    pool: () => found,
    hasEngines: () => false,
    resolve: resolutionOf,
    verdict: () => ({ accepted: true }),
    claimModes: () => () => undefined,
    now: CREATED + 1_000,
    ...more,
  });
}

function blocked(...input: Parameters<typeof assessed>): Blocked {
  const assessment = assessed(...input);
  if (assessment.kind === 'accepted') throw new Error('accepted');
  return assessment;
}

const TOO_LARGE = { model: { source: 'hf://deepseek-ai/DeepSeek-V3' } };
const WRONG_POOL = aPool({ accelerator: { type: 'A100', resources: { 'nvidia.com/gpu': '1' } } });

describe('each check', () => {
  it.each<[string, Parameters<typeof assessed>, string, string, string]>([
    [
      'the pool exists',
      [{}, { pool: () => undefined }],
      'Accepted',
      'PoolNotFound',
      'create it, or set another pool',
    ],
    [
      'the pool stays',
      [{}, { found: going }],
      'Accepted',
      'PoolDeleting',
      'is being deleted; set another pool',
    ],
    [
      'the pool is valid',
      [{}, { found: WRONG_POOL }],
      'Accepted',
      'InvalidSpec',
      'it is the accelerator itself',
    ],
    ['names are free', [{}, { verdict: () => taken }], 'Accepted', 'ServedNameConflict', 'it is served'],
    [
      'the engine resolves',
      [{ engine: { tensorParallelSize: 3 } }],
      'Accepted',
      'InvalidSpec',
      'spec.engine.tensorParallelSize',
    ],
    [
      'claims of the user can be shared',
      [
        { ...cache({ claimName: 'weights' }), scaling: { replicas: 2 } },
        { claimModes: () => () => ['ReadWriteOnce'] },
      ],
      'Accepted',
      'InvalidSpec',
      'spec.model.cache.pvc.claimName',
    ],
    [
      'schedules are real',
      [{ scaling: { schedules: [schedule('never')] } }],
      'Accepted',
      'InvalidSpec',
      'spec.scaling.schedules[never].start "0 0 31 4 *": the expression never matches a date',
    ],
    ['the memory fits', [TOO_LARGE], 'MemoryFit', 'DoesNotFit', 'spec.model.source'],
  ])('%s', (_name, input, condition, reason, text) => {
    const { why, issues, needsUser } = blocked(...input);
    expect(why).toEqual({ condition, reason });
    expect(describeIssues(issues)).toContain(text);
    expect(needsUser).toBe(reason !== 'PoolNotFound');
  });
});

describe('the order', () => {
  const everything = {
    ...TOO_LARGE,
    engine: { extraArgs: ['--no-such-flag'] },
    scaling: { minReplicas: 1, maxReplicas: 2, schedules: [schedule('a'), schedule('b')] },
  };

  it('is pool, verdict, spec, memory', () => {
    const verdict = () => taken;
    expect(blocked(everything, { pool: () => undefined, verdict }).why.reason).toBe('PoolNotFound');
    expect(blocked(everything, { found: going, verdict }).why.reason).toBe('PoolDeleting');
    expect(blocked(everything, { found: WRONG_POOL, verdict }).why.reason).toBe('InvalidSpec');
    expect(blocked(everything, { verdict }).why.reason).toBe('ServedNameConflict');
    expect(blocked(everything).why).toEqual({ condition: 'Accepted', reason: 'InvalidSpec' });
  });

  it('names all issues of a spec that the pool does not refuse, each once', () => {
    const { issues } = blocked({ ...everything, engine: undefined });
    expect(issues.map(({ field }) => field)).toEqual([
      'spec.scaling.schedules[a].start',
      'spec.scaling.schedules[b].start',
      'spec.model.source',
    ]);
    const own = blocked({
      ...cache({ size: '10Gi' }),
      scaling: { minReplicas: 1, maxReplicas: 2, schedules: [schedule('a')] },
    });
    expect(own.issues.map(({ field }) => field)).toEqual([
      'spec.model.cache.pvc.accessModes',
      'spec.scaling.schedules[a].start',
    ]);
    expect(blocked(everything, { verdict: () => taken }).issues).toEqual([taken.issue]);
  });
});

describe('a pool that is not there', () => {
  const none = { pool: () => undefined };

  it('is waited for a minute', () => {
    expect(blocked({}, none)).toMatchObject({ needsUser: false, requeueAfterMs: 59_000 });
    expect(blocked({}, { ...none, now: CREATED + 59_900 }).requeueAfterMs).toBe(1_000);
    const late = blocked({}, { ...none, now: CREATED + 60_000 });
    expect(late.needsUser).toBe(true);
    expect(late.requeueAfterMs).toBeUndefined();
  });

  it('is still that of a model with engines while it is deleted', () => {
    expect(assessed({}, { found: going, hasEngines: () => true }).kind).toBe('accepted');
  });
});

it('returns the resolved model if accepted, and the known parts if blocked', () => {
  const found = assessed({ scaling: { minReplicas: 0, maxReplicas: 4, target: 9 } });
  expect(found).toMatchObject({
    kind: 'accepted',
    model: {
      target: 9,
      claim: { names: ['chat'], replicas: 4 },
      scaling: { kind: 'Range', minReplicas: 0, maxReplicas: 4, idleTimeoutMs: 180_000 },
      drainTimeoutMs: 300_000,
      wakeTimeoutMs: 900_000,
      engine: { servedNames: ['chat'] },
    },
  });
  const { resolution } = blocked(TOO_LARGE);
  expect(resolution?.memory?.issue).toBeDefined();
  expect(resolution?.engine?.servedNames).toEqual(['chat']);
});

it('passes on an error that is no fault of a spec', () => {
  const mistake = () => {
    throw new TypeError('a mistake');
  };
  expect(() => assessed({}, { resolve: mistake })).toThrow('a mistake');
});
