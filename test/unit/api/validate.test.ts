import { describe, expect, it } from 'vitest';
import { validateManifest } from '../../../operator/api/validate.ts';

const pool = (spec: object, name = 'a100') => ({
  apiVersion: 'vllm-operator.dev/v1alpha1',
  kind: 'InferencePool',
  metadata: { name, namespace: 'platform' },
  spec,
});

describe('validateManifest', () => {
  it('passes a good manifest', () => {
    expect(validateManifest(pool({ accelerator: { type: 'A100' } }))).toEqual([]);
  });

  it('names field, value, reason and remedy', () => {
    expect(validateManifest(pool({ accelerator: { type: 'X100' } }))).toEqual([
      {
        field: 'spec.accelerator.type',
        value: 'X100',
        reason: "unknown accelerator 'X100'",
        remedy: expect.stringMatching(/^use A100, /),
      },
    ]);
  });

  it('lets no window close a model: a request would wake it all the same', () => {
    const closed = { name: 'closed', start: '0 0 * * SAT', end: '0 0 * * MON', maxReplicas: 0 };
    const issues = validateManifest({
      ...pool({
        poolRef: { name: 'a100' },
        model: { source: 'hf://a/b' },
        scaling: { minReplicas: 0, schedules: [closed] },
      }),
      kind: 'InferenceModel',
    });
    expect(issues).toMatchObject([
      { field: 'spec.scaling.schedules[0].maxReplicas', value: 0, remedy: 'at least 1' },
    ]);
  });

  it.each(['gр-4', 'gpt\u200b-4', 'x\u001b[2J', 'a=b', 'a b', '{"name":"x"}', '-x'])(
    'takes no name of an adapter that looks like another one, or is none to vLLM: %j',
    (name) => {
      const engine = { lora: { adapters: [{ name, source: 'a/b' }] } };
      const model = { poolRef: { name: 'a100' }, model: { source: 'hf://a/b' }, engine };
      for (const manifest of [
        { ...pool(model), kind: 'InferenceModel' },
        pool({ accelerator: { type: 'A100' }, engine }),
      ])
        expect(validateManifest(manifest)).toMatchObject([
          { field: expect.stringMatching(/adapters\[0\]\.name$/) },
        ]);
    },
  );

  it.each([
    'file:///models/../tmp/other',
    'pvc://claim/public/..',
    's3://bucket/allowed/../other',
    'hf://../x',
    'hf://meta-llama/../../tmp/x',
    'hf://file:///tmp/x',
    'hf:///tmp/x',
    'hf://./x',
    'hf://x/.',
    './x',
    '.hidden/x',
    'org/name@v1',
    'org/name:v1',
  ])('takes no source that begins where its weights are not, which policies go by: %s', (source) => {
    const good = { source: 'hf://a/b' };
    for (const [spec, field] of [
      [{ model: { source } }, /model\.source$/],
      [{ model: good, engine: { lora: { adapters: [{ name: 'x', source }] } } }, /adapters\[0\]\.source$/],
      [
        { model: good, engine: { speculative: { method: 'eagle', model: source, numSpeculativeTokens: 1 } } },
        /speculative\.model$/,
      ],
    ] as const) {
      const issues = validateManifest({
        ...pool({ poolRef: { name: 'a100' }, ...spec }),
        kind: 'InferenceModel',
      });
      expect(issues[0]?.field).toMatch(field);
    }
  });

  it.each(['hf://org/name', 'org/na..me', 'file:///a/..b', '/models/x', 's3://bucket/a', 'name'])(
    'takes a source of an adapter and of a draft model such as %s',
    (source) => {
      const engine = {
        lora: { adapters: [{ name: 'x', source }] },
        speculative: { method: 'eagle', model: source, numSpeculativeTokens: 1 },
      };
      const spec = { poolRef: { name: 'a100' }, model: { source: 'hf://a/b' }, engine };
      expect(validateManifest({ ...pool(spec), kind: 'InferenceModel' })).toEqual([]);
    },
  );

  it('finds everything at once', () => {
    const issues = validateManifest(
      pool(
        {
          accelerator: { type: 'A100', kind: 'gpu' },
          router: { replicas: '2', service: { port: 70000 }, loadBalancing: 'RoundRobin' },
          engine: { maxModelLen: 'max', env: [{ name: 'A' }, { name: 'A' }] },
          capacity: { accelerators: 1.5 },
        },
        'A100.x',
      ),
    );
    expect(issues.map(({ field, remedy }) => `${field}: ${remedy}`)).toEqual([
      'metadata.name: use lower-case letters, digits and hyphens; begin with a letter and end with a letter or digit',
      'spec.capacity.accelerators: write an integer',
      'spec.engine.maxModelLen: see the field reference',
      'spec.router.replicas: write a number',
      'spec.router.service.port: at most 65535',
      'spec.router.loadBalancing: use one of PrefixAffinity, LeastRequests',
      'spec.accelerator.kind: correct the name, or remove it',
      'spec.engine.env[1]: remove one of them',
    ]);
  });

  it.each([
    [
      { engine: { startupTimeout: '5 minutes' } },
      'spec.engine.startupTimeout: not a duration; use numbers with the units ms, s, m or h, such as 180s or 1h30m',
    ],
    [
      { router: { resources: { limits: { memory: '2Gigs' } } } },
      'spec.router.resources.limits.memory: not a quantity; use a number with or without a Kubernetes unit, such as 512Mi, 4Gi, 500m or 4',
    ],
    [
      { engine: { dtype: 'float99' } },
      'spec.engine.dtype: not one of its values; use one of auto, half, float16, bfloat16, float, float32',
    ],
    [{ router: { replicas: -1 } }, 'spec.router.replicas: too small; at least 1'],
    [{ engine: { env: [{ name: '' }] } }, 'spec.engine.env[0].name: too short; at least 1 character'],
    [
      { capacity: { accelerators: 'x' } },
      'spec.capacity.accelerators: expected number, received string; write a number',
    ],
  ])('tells people, and not only parsers, what to write: %j', (spec, line) => {
    const [issue] = validateManifest(pool({ accelerator: { type: 'A100' }, ...spec }));
    expect(`${issue?.field}: ${issue?.reason}; ${issue?.remedy}`).toBe(line);
  });

  it('reports an invalid cron expression once', () => {
    const schedules = [{ name: 'day', start: '99 8 * *', end: '0 18 * * *', minReplicas: 1 }];
    const issues = validateManifest({
      ...pool({
        poolRef: { name: 'a100' },
        model: { source: 'hf://a/b' },
        scaling: { maxReplicas: 2, schedules },
      }),
      kind: 'InferenceModel',
    });
    expect(issues).toMatchObject([
      { field: 'spec.scaling.schedules[0].start', reason: 'not a cron expression' },
    ]);
  });

  it('reports missing fields', () => {
    expect(validateManifest(pool({}))).toEqual([
      { field: 'spec.accelerator', value: undefined, reason: 'it is required', remedy: 'set it' },
    ]);
  });

  it('refuses other kinds', () => {
    expect(() => validateManifest({ apiVersion: 'v1', kind: 'Namespace' })).toThrow(TypeError);
    expect(() => validateManifest(null)).toThrow(TypeError);
    expect(() => validateManifest({ ...pool({}), kind: 'constructor' })).toThrow(TypeError);
  });
});
