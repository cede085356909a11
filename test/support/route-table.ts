/** Route tables for tests, with defaults for what a test does not care about. */
import type { RouteModel, RouteTable } from '../../operator/router/route-table.ts';

let lastVersion = Date.now();

/** `host` and `port` of `host:port`. */
export function addressOf(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
}

/** An engine at `host:port`. */
export function engineAt(address: string, capacity = 64, draining = false): RouteModel['endpoints'][number] {
  return { ...addressOf(address), capacity, draining };
}

/** Rules of admission: defaults but for what a test cares about. */
export function rules(overrides: Partial<RouteModel['admission']> = {}): RouteModel['admission'] {
  const usual = { maxQueue: 256, queueTimeoutMs: 30_000, wakeTimeoutMs: 60_000, degradation: [] };
  return { ...usual, ...overrides };
}

/** A model that runs on the given engines. */
export function model(
  name: string,
  endpoints: readonly string[],
  overrides: Partial<RouteModel> = {},
): RouteModel {
  return {
    uid: `uid-${name}`,
    namespace: 'team-a',
    name,
    engine: '',
    created: 1_700_000_000,
    servedNames: [name],
    adapters: [],
    state: endpoints.length > 0 ? 'Serving' : 'Idle',
    endpoints: endpoints.map((address) => engineAt(address)),
    cache: { enabled: false, ttlSeconds: 60, policy: 'Deterministic' },
    admission: rules(),
    ...overrides,
  };
}

/** A table, newer than all made before. */
export function table(models: readonly RouteModel[], overrides: Partial<RouteTable> = {}): RouteTable {
  lastVersion = Math.max(lastVersion + 1, Date.now());
  return {
    version: lastVersion,
    pool: { namespace: 'team-a', name: 'pool' },
    loadBalancing: 'LeastRequests',
    auth: 'None',
    cacheMaxEntryBytes: 1_048_576,
    models: [...models],
    keys: [],
    ...overrides,
  };
}
