import { describe, expect, it } from 'vitest';
import { type EndpointSlice, engineEndpoints } from '../../../operator/router/endpoints-from-slices.ts';

type Endpoint = NonNullable<EndpointSlice['endpoints']>[number];

function slice(endpoints: Endpoint[], overrides: Partial<EndpointSlice> = {}): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'vllm-llama-abc', namespace: 'team-a' },
    addressType: 'IPv4',
    ports: [
      { name: 'metrics', port: 9000 },
      { name: 'http', port: 8000 },
    ],
    endpoints,
    ...overrides,
  };
}
const pod = (uid: string) => ({ kind: 'Pod', name: `pod-${uid}`, uid });
const engines = (slices: EndpointSlice[]) => engineEndpoints(slices, { capacity: 64 });

describe('engineEndpoints', () => {
  it.each([
    // ready, serving, terminating → what a router is told
    [true, true, false, 'takes requests'],
    [true, undefined, undefined, 'takes requests'],
    [undefined, undefined, undefined, 'takes requests'],
    [null, null, null, 'takes requests'],
    [false, true, true, 'drains'],
    [false, false, true, 'absent'],
    [false, false, false, 'absent'],
    [false, true, false, 'absent'],
    [false, undefined, undefined, 'absent'],
    [false, undefined, true, 'absent'],
  ])('ready %s, serving %s, terminating %s: %s', (ready, serving, terminating, expected) => {
    const conditions = {
      ...(ready === undefined ? {} : { ready }),
      ...(serving === undefined ? {} : { serving }),
      ...(terminating === undefined ? {} : { terminating }),
    };
    const endpoints = engines([slice([{ addresses: ['10.0.0.1'], conditions }])]);
    const wanted = {
      'takes requests': [{ host: '10.0.0.1', port: 8000, capacity: 64, draining: false }],
      drains: [{ host: '10.0.0.1', port: 8000, capacity: 64, draining: true }],
      absent: [],
    }[expected];
    expect(endpoints).toEqual(wanted);
  });

  it('brackets IPv6, sorts, and ignores names and further addresses', () => {
    const endpoints = engines([
      slice([{ addresses: ['fd00::1'] }], { addressType: 'IPv6' }),
      slice([{ addresses: ['10.0.0.2', '10.0.0.99'] }, { addresses: ['10.0.0.1'] }, { addresses: [] }]),
      slice([{ addresses: ['engine.example.org'] }], { addressType: 'FQDN' }),
    ]);
    expect(endpoints.map(({ host, port }) => `${host}:${port}`)).toEqual([
      '10.0.0.1:8000',
      '10.0.0.2:8000',
      '[fd00::1]:8000',
    ]);
  });

  it('counts a dual-stack pod once, by IPv4, in whatever order its slices come', () => {
    const v4 = slice([{ addresses: ['10.0.0.1'], targetRef: pod('a') }]);
    const v6 = slice([{ addresses: ['fd00::1'], targetRef: pod('a') }], { addressType: 'IPv6' });
    expect(engines([v4, v6]).map(({ host }) => host)).toEqual(['10.0.0.1']);
    expect(engines([v6, v4]).map(({ host }) => host)).toEqual(['10.0.0.1']);
  });

  it('believes the readier of two slices that have the same pod', () => {
    const stale = slice([{ addresses: ['10.0.0.1'], conditions: { ready: false }, targetRef: pod('a') }]);
    const fresh = slice([{ addresses: ['10.0.0.1'], conditions: { ready: true }, targetRef: pod('a') }]);
    expect(engines([stale, fresh])).toEqual(engines([fresh, stale]));
    expect(engines([stale, fresh])).toHaveLength(1);
  });

  it('treats a pod as terminating as soon as one slice does', () => {
    const stale = slice([{ addresses: ['10.0.0.1'], conditions: { ready: true }, targetRef: pod('a') }]);
    const conditions = { ready: false, serving: true, terminating: true };
    const fresh = slice([{ addresses: ['10.0.0.1'], conditions, targetRef: pod('a') }]);
    expect(engines([stale, fresh])).toEqual([{ host: '10.0.0.1', port: 8000, capacity: 64, draining: true }]);
    expect(engines([fresh, stale])).toEqual(engines([stale, fresh]));
  });

  describe('with engines that have an eviction notice', () => {
    const engine = (uid: string, ip: string, conditions = {}) => ({
      addresses: [ip],
      conditions,
      targetRef: pod(uid),
    });
    const draining = (endpoints: Endpoint[], evenLast = false) =>
      engineEndpoints([slice(endpoints)], {
        capacity: 64,
        leaving: { pods: new Set(['a']), evenLast },
      }).map((endpoint) => endpoint.draining);

    it('sends no requests there once another takes them', () => {
      expect(draining([engine('a', '10.0.0.1'), engine('b', '10.0.0.2')])).toEqual([true, false]);
    });

    it('keeps sending them to the last one, unless no replacement is coming', () => {
      expect(draining([engine('a', '10.0.0.1')])).toEqual([false]);
      expect(draining([engine('a', '10.0.0.1')], true)).toEqual([true]);
    });

    it('counts no engine as another that is not ready or ends', () => {
      const starting = engine('b', '10.0.0.2', { ready: false });
      const ending = engine('b', '10.0.0.2', { ready: false, serving: true, terminating: true });
      expect(draining([engine('a', '10.0.0.1'), starting])).toEqual([false]);
      expect(draining([engine('a', '10.0.0.1'), ending])).toEqual([false, true]);
    });
  });

  it('sends no requests to a pod that is being deleted, even before its slice shows it', () => {
    const pods = ['a', 'b'].map((uid, i) => ({ addresses: [`10.0.0.${i}`], targetRef: { uid } }));
    const endpoints = engineEndpoints([slice(pods)], {
      capacity: 64,
      ending: new Set(['a']),
    });
    expect(endpoints.map(({ draining }) => draining)).toEqual([true, false]);
  });

  it('needs the port by its name', () => {
    const elsewhere = slice([{ addresses: ['10.0.0.1'] }], { ports: [{ name: 'grpc', port: 8000 }] });
    expect(engines([elsewhere, slice([{ addresses: ['10.0.0.2'] }], { ports: null })])).toEqual([]);
    expect(engines([slice([], {}), slice([], { endpoints: null })])).toEqual([]);
  });
});
