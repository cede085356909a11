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
    expect(validateManifest(pool({ accelerator: { type: 'V100' } }))).toEqual([
      {
        field: 'spec.accelerator.type',
        value: 'V100',
        reason: "unknown accelerator 'V100'",
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
      'metadata.name: write it in that form',
      'spec.capacity.accelerators: write an integer',
      'spec.engine.maxModelLen: see the field reference',
      'spec.router.replicas: write a number',
      'spec.router.service.port: at most 65535',
      'spec.router.loadBalancing: use one of PrefixAffinity, LeastRequests',
      'spec.accelerator.kind: correct its name, or remove it',
      'spec.engine.env[1]: remove one of them',
    ]);
  });

  it('says what is missing', () => {
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
