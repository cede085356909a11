import { describe, expect, it } from 'vitest';
import { type HpaCondition, resolveMode } from '../../../../operator/controllers/scaling/mode.ts';
import {
  API_SERVICE_NAME,
  type ApiService,
  type ApiServiceState,
  desiredApiService,
  examineApiService,
} from '../../../../operator/metrics-api/api-service.ts';
import type { ScalingSpec } from '../../../../operator/model/resolved-scaling.ts';
import { scalingOf } from '../../model/support/resolve.ts';
import { kubernetesValidator } from '../../render/support/kubernetes-schema.ts';

const now = Date.parse('2026-01-14T12:00:00Z');
const service = { namespace: 'vllm-system', name: 'vllm-operator-metrics', port: 443 };
const seconds = (ago: number) => new Date(now - ago * 1000).toISOString();

describe('examineApiService', () => {
  const ours = desiredApiService({ service, trustBundle: 'PEM' });
  const withStatus = (condition?: object): ApiService =>
    ({
      ...ours,
      ...(condition && { status: { conditions: [{ type: 'Available', ...condition }] } }),
    }) as ApiService;

  it('recognizes its own APIService by the Service, and reads its availability', () => {
    expect(kubernetesValidator()(ours)).toEqual([]);
    expect(ours.metadata.name).toBe(API_SERVICE_NAME);
    expect(ours.spec.caBundle).toBe('UEVN');
    expect(examineApiService(ours, service)).toEqual({
      owner: 'ours',
      available: undefined,
      since: undefined,
      message: '',
    });
    expect(
      examineApiService(withStatus({ status: 'True', lastTransitionTime: seconds(9) }), service),
    ).toMatchObject({
      available: true,
      since: now - 9000,
    });
    expect(
      examineApiService(withStatus({ status: 'False', message: 'no endpoints' }), service),
    ).toMatchObject({ available: false, message: 'no endpoints' });
  });

  it('distinguishes absent from foreign', () => {
    expect(examineApiService(undefined, service)).toEqual({ owner: 'absent' });
    const keda = { ...ours, spec: { ...ours.spec, service: { namespace: 'keda', name: 'keda-metrics' } } };
    expect(examineApiService(keda, service)).toEqual({ owner: 'foreign', by: 'keda/keda-metrics' });
    const local = { ...ours, spec: { ...ours.spec, service: null } };
    expect(examineApiService(local, service)).toMatchObject({ owner: 'foreign' });
    expect(examineApiService(ours, { ...service, namespace: 'other' })).toMatchObject({ owner: 'foreign' });
  });
});

describe('resolveMode', () => {
  const range: ScalingSpec = { minReplicas: 0, maxReplicas: 4 };
  const available: ApiServiceState = { owner: 'ours', available: true, since: now - 1e6, message: '' };
  const fresh: ApiServiceState = { owner: 'ours', available: undefined, since: undefined, message: '' };
  const broken = (ago: number): ApiServiceState => ({
    owner: 'ours',
    available: false,
    since: now - ago * 1000,
    message: 'no endpoints',
  });
  const foreign: ApiServiceState = { owner: 'foreign', by: 'keda/keda-metrics' };
  const absent: ApiServiceState = { owner: 'absent' };
  const unknown: ApiServiceState = { owner: 'unknown', message: 'nobody has looked yet' };
  const off: ApiServiceState = { owner: 'off', message: 'the metrics API is off' };
  const resolve = (scaling: ScalingSpec | undefined, metricsApi: ApiServiceState, hpa?: HpaCondition[]) => {
    const { mode, condition, requeueAfterMs } = resolveMode({
      scaling: scalingOf(scaling),
      metricsApi,
      hpa,
      now,
    });
    return [mode, condition.status, condition.reason, requeueAfterMs];
  };

  it.each<[string, ScalingSpec | undefined, ApiServiceState, unknown[]]>([
    ['nothing to decide', undefined, available, ['Fixed', 'True', 'FixedReplicas']],
    ['a fixed number', { replicas: 3 }, available, ['Fixed', 'True', 'FixedReplicas']],
    ['one replica or none', { minReplicas: 0 }, available, ['Fixed', 'True', 'FixedReplicas']],
    ['equal bounds', { minReplicas: 3, maxReplicas: 3 }, available, ['Fixed', 'True', 'FixedReplicas']],
    ['one replica even with an HPA asked for', { mode: 'HPA' }, foreign, ['Fixed', 'True', 'FixedReplicas']],
    ['somebody else', { mode: 'External', replicas: 2 }, available, ['External', 'True', 'External']],
    ['our own loop on request', { ...range, mode: 'Internal' }, available, ['Internal', 'True', 'Internal']],
    ['Auto with our API', range, available, ['HPA', 'True', 'HPA']],
    ['Auto with our API, not tried yet', range, fresh, ['Internal', 'True', 'Internal']],
    ['Auto with our API out of reach for a moment', range, broken(30), ['HPA', 'True', 'HPA', 90_000]],
    ['Auto with our API out of reach', range, broken(120), ['Internal', 'True', 'Internal']],
    ['Auto with a foreign API', range, foreign, ['Internal', 'True', 'Internal']],
    ['Auto without an API', { ...range, mode: 'Auto' }, absent, ['Internal', 'True', 'Internal']],
    ['Auto with our API turned off', range, off, ['Internal', 'True', 'Internal']],
    [
      'HPA with our API turned off',
      { ...range, mode: 'HPA' },
      off,
      ['HPA', 'False', 'HPAMetricsUnavailable'],
    ],
    ['Auto when nobody knows', range, unknown, ['Internal', 'True', 'Internal']],
    ['HPA with our API', { ...range, mode: 'HPA' }, available, ['HPA', 'True', 'HPA']],
    ['HPA out of reach for a moment', { ...range, mode: 'HPA' }, broken(30), ['HPA', 'True', 'HPA', 90_000]],
    ['HPA out of reach', { ...range, mode: 'HPA' }, broken(300), ['HPA', 'False', 'HPAMetricsUnavailable']],
    ['HPA with a foreign API', { ...range, mode: 'HPA' }, foreign, ['HPA', 'False', 'HPAMetricsUnavailable']],
    ['HPA without an API', { ...range, mode: 'HPA' }, absent, ['HPA', 'False', 'HPAMetricsUnavailable']],
    ['HPA when nobody knows', { ...range, mode: 'HPA' }, unknown, ['HPA', 'False', 'HPAMetricsUnavailable']],
  ])('%s', (_name, scaling, metricsApi, [mode, status, reason, lookAgain]) => {
    expect(resolve(scaling, metricsApi)).toEqual([mode, status, reason, lookAgain]);
  });

  describe('while a new leader does not know yet', () => {
    const unsettled = { unknown, absent, fresh, broken: broken(3_600) };
    const keeps = (scaling: ScalingSpec, metricsApi: ApiServiceState, ago: number) => {
      const hpa = [{ type: 'ScalingActive', status: 'True' }];
      const { mode, condition, requeueAfterMs } = resolveMode({
        scaling: scalingOf(scaling),
        metricsApi,
        hpa,
        unsettledSince: now - ago * 1000,
        now,
      });
      return [mode, condition.status, requeueAfterMs];
    };

    it.each(Object.entries(unsettled))('keeps an HPA that there is, for two minutes: %s', (_, metricsApi) => {
      expect(keeps(range, metricsApi, 0)).toEqual(['HPA', 'True', 120_000]);
      expect(keeps(range, metricsApi, 119)).toEqual(['HPA', 'True', 1_000]);
      expect(keeps(range, metricsApi, 120)).toEqual(['Internal', 'True', undefined]);
      expect(keeps({ ...range, mode: 'HPA' }, metricsApi, 119)).toEqual(['HPA', 'True', 1_000]);
      expect(keeps({ ...range, mode: 'HPA' }, metricsApi, 120)).toEqual(['HPA', 'False', undefined]);
    });

    it.each(Object.entries({ off, foreign }))('does not when it is known: %s', (_, metricsApi) => {
      expect(keeps(range, metricsApi, 0)).toEqual(['Internal', 'True', undefined]);
    });
  });

  it('scales where only a schedule leaves a choice', () => {
    const schedules = [{ name: 'day', start: '0 8 * * *', end: '0 18 * * *', maxReplicas: 5 }];
    expect(resolve({ minReplicas: 1, maxReplicas: 1, schedules }, available)[0]).toBe('HPA');
  });

  it('says who has the API', () => {
    const { condition } = resolveMode({ scaling: scalingOf(range), metricsApi: foreign, now });
    expect(condition.message).toBe(
      "the operator's autoscaler scales, because external.metrics.k8s.io is served by keda/keda-metrics",
    );
  });

  it('reports an HPA that gets no value for long, and not one that pauses at zero', () => {
    const inactive = (reason: string, ago: number): HpaCondition[] => [
      { type: 'AbleToScale', status: 'True' },
      { type: 'ScalingActive', status: 'False', reason, message: 'why', lastTransitionTime: seconds(ago) },
    ];
    expect(resolve(range, available, inactive('ScalingDisabled', 900))).toEqual([
      'HPA',
      'True',
      'HPA',
      undefined,
    ]);
    expect(resolve(range, available, inactive('FailedGetExternalMetric', 20))).toEqual([
      'HPA',
      'True',
      'HPA',
      100_000,
    ]);
    expect(resolve(range, available, inactive('FailedGetExternalMetric', 900))).toEqual([
      'HPA',
      'False',
      'HPAMetricsUnavailable',
      undefined,
    ]);
  });
});
