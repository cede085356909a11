/** Compiles custom resources to the route table of the routers. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { ModelState } from '../api/inference-model.ts';
import type { InferenceModel, InferencePool } from '../api/types.ts';
import { stableHash } from '../kube/stable-hash.ts';
import { adaptiveConcurrency } from '../model/adaptive-concurrency.ts';
import { type DegradationTier, degradationTiers } from '../model/degradation-tiers.ts';
import type { ResolvedEngine } from '../model/resolved-engine.ts';
import { tracesUrl } from '../model/traces-url.ts';
import { DEFAULTS } from '../values/defaults.ts';
import { quantityValue } from '../values/quantity.ts';
import { durationSeconds } from '../values/units.ts';
import { type EndpointSlice, engineEndpoints, type LeavingPods, urlHost } from './endpoints-from-slices.ts';
import { isSameHead } from './route-change.ts';
import type {
  RouteAdmission,
  RouteCache,
  RouteCors,
  RouteKey,
  RouteModel,
  RouteRedis,
  RouteTable,
  RouteTracing,
} from './route-table.ts';

/** The engine settings that routers need. */
export type RouteEngine = Pick<ResolvedEngine, 'servedNames' | 'adapters' | 'capacity' | 'maxModelLen'>;

/** One accepted model and its observed state. */
export interface RouteModelInput {
  model: InferenceModel;
  engine: RouteEngine;
  slices: readonly EndpointSlice[];
  /** The Service of the model, once it exists. */
  service?: { spec: { clusterIP?: string; ports?: { name?: string; port: number }[] } } | undefined;
  state: ModelState;
  unavailable?: { reason: string; message: string } | undefined;
  /** Whether the model is going to sleep: its engines finish their requests, and new requests are held. */
  heldBack?: boolean;
  /** Engine pods with an eviction notice. */
  leaving?: LeavingPods | undefined;
  /** UIDs of engine pods that are being deleted. */
  ending?: ReadonlySet<string>;
}

export interface RouteTableInput {
  pool: InferencePool;
  models: readonly RouteModel[];
  /** Absent if there is no managed Redis. */
  redis?: RouteRedis | undefined;
  /** Keys that the pool accepts. They are only included if the pool requires keys. */
  keys: readonly RouteKey[];
  /** The last table of the pool, possibly from a previous leader. */
  previous?: RouteTable | undefined;
  /** Milliseconds since 1970. */
  now: number;
}

/**
 * The table for all routers of a pool. Returns `previous` itself if only time has passed. Otherwise the version is the
 * present time, or the last version plus one if the clock is behind it.
 */
export function compileRouteTable(input: RouteTableInput): RouteTable {
  const { pool, redis, previous, now } = input;
  const { router, responseCache, tracing } = pool.spec;
  const table: RouteTable = {
    version: previous?.version ?? 0,
    pool: { namespace: pool.metadata.namespace ?? '', name: pool.metadata.name },
    loadBalancing: router.loadBalancing,
    auth: router.auth.mode,
    ...(router.cors && { cors: compileCors(router.cors) }),
    ...(tracing && { tracing: compileTracing(tracing) }),
    ...(redis && { redis }),
    cacheMaxEntryBytes: Math.floor(quantityValue(responseCache.maxEntrySize)),
    models: withoutConflicts([...input.models].sort(byName), previous?.models ?? []),
    keys: router.auth.mode === 'APIKey' ? [...input.keys] : [],
  };
  if (!previous) return { ...table, version: now };
  return isSameHead(table, previous) && haveSameModels(table, previous)
    ? previous
    : { ...table, version: Math.max(now, previous.version + 1) };
}

/** Each name is granted only once, so this changes nothing. If a bug grants one twice, the oldest model gets it. */
function withoutConflicts(models: RouteModel[], previous: readonly RouteModel[]): RouteModel[] {
  if (models.length === previous.length && models.every((model, i) => haveSameNames(model, previous[i])))
    return models;
  const owners = new Map<string, RouteModel>();
  let conflicts = 0;
  const claim = (model: RouteModel, name: string) => {
    const owner = owners.get(name);
    if (owner && owner !== model) conflicts += 1;
    if (!owner || model.created < owner.created) owners.set(name, model);
  };
  for (const model of models) {
    for (const name of model.servedNames) claim(model, name);
    for (const name of model.adapters) claim(model, name);
  }
  if (conflicts === 0) return models;
  return models.map((model) => {
    const own = (names: readonly string[]) => names.filter((name) => owners.get(name) === model);
    return { ...model, servedNames: own(model.servedNames), adapters: own(model.adapters) };
  });
}

/** A table without conflicts stays so while the names stay the same. */
function haveSameNames(model: RouteModel, before: RouteModel | undefined): boolean {
  if (model === before) return true;
  const { uid, servedNames, adapters } = model;
  return (
    uid === before?.uid && isDeepStrictEqual([servedNames, adapters], [before.servedNames, before.adapters])
  );
}

/** Compares by identity first, because most of thousands of models are the same objects. */
function haveSameModels({ models: a }: RouteTable, { models: b }: RouteTable): boolean {
  return a.length === b.length && a.every((model, i) => model === b[i] || isDeepStrictEqual(model, b[i]));
}

function compileCors(cors: NonNullable<InferencePool['spec']['router']['cors']>): RouteCors {
  const { allowOrigins, allowCredentials, allowMethods, allowHeaders, exposeHeaders, maxAge } = cors;
  return {
    allowOrigins: [...allowOrigins],
    allowCredentials,
    ...(!allowMethods.includes('*') && { allowMethods: allowMethods.join(', ') }),
    ...(!allowHeaders.includes('*') && { allowHeaders: allowHeaders.join(', ') }),
    ...(exposeHeaders.length > 0 && { exposeHeaders: exposeHeaders.join(', ') }),
    maxAge,
  };
}

function compileTracing(tracing: NonNullable<InferencePool['spec']['tracing']>): RouteTracing {
  return { ...tracesUrl(tracing), samplingRatio: Number(tracing.samplingPercent) / 100 };
}

/** A table without secrets for a ConfigMap. Lists the fields explicitly, so that a new field is not published by accident. */
export function snapshot(table: RouteTable): RouteTable {
  const { version, pool, loadBalancing, auth, cors, tracing, cacheMaxEntryBytes, models, keys } = table;
  return {
    version,
    pool,
    loadBalancing,
    auth,
    ...(cors && { cors }),
    ...(tracing && { tracing }),
    cacheMaxEntryBytes,
    models,
    keys,
  };
}

/** The entry of one model. */
export function compileRouteModel(pool: InferencePool, input: RouteModelInput): RouteModel {
  const { model, engine, service } = input;
  const { metadata } = model;
  const { maxModelLen, capacity } = engine;
  const fallback = serviceAddress(service);
  return {
    uid: metadata.uid ?? '',
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    engine: answersHash(pool, model),
    created: Math.floor(Date.parse(metadata.creationTimestamp ?? '') / 1000) || 0,
    servedNames: [...engine.servedNames],
    adapters: [...engine.adapters],
    ...(maxModelLen !== undefined && { maxModelLen }),
    state: input.state,
    ...(input.unavailable && { unavailable: clip(input.unavailable) }),
    endpoints: engineEndpoints(input.slices, {
      capacity,
      leaving: input.leaving,
      ending: input.ending,
    }).map((endpoint) => (input.heldBack ? { ...endpoint, draining: true } : endpoint)),
    ...(fallback !== undefined && { fallback }),
    cache: mergeCache(pool, model),
    admission: mergeAdmission(pool, model),
  };
}

/**
 * Changes with all of the specs that may change what engines answer. The generation of a model would change with each step of an
 * autoscaler, too, and empty the cache.
 */
function answersHash(pool: InferencePool, { spec }: InferenceModel): string {
  const { poolRef, scaling, suspend, priority, admission, responseCache, ...decides } = spec;
  const { profiles = [], ...engine } = pool.spec.engine ?? {};
  const name = spec.engine?.profile ?? engine.profile;
  const profile = profiles.find((own) => own.name === name);
  return stableHash([engine, decides, ...(profile ? [profile] : [])]);
}

/** The message may quote the cluster and have any length. */
function clip({ reason, message }: { reason: string; message: string }): RouteModel['unavailable'] {
  return { reason: reason.slice(0, 256), message: message.slice(0, 4096) };
}

/** Address of the Service port `http`; undefined if it has none or is headless. */
function serviceAddress(service: RouteModelInput['service']): RouteModel['fallback'] {
  const { clusterIP, ports } = service?.spec ?? {};
  const port = ports?.find(({ name }) => name === 'http')?.port;
  if (!clusterIP || clusterIP === 'None' || port === undefined) return undefined;
  return { host: urlHost(clusterIP), port };
}

function mergeCache(pool: InferencePool, model: InferenceModel): RouteCache {
  const defaults = pool.spec.responseCache;
  const overrides = model.spec.responseCache;
  return {
    enabled: defaults.enabled && (overrides?.enabled ?? true),
    ttlSeconds: durationSeconds(overrides?.ttl ?? defaults.ttl),
    policy: overrides?.policy ?? defaults.policy,
  };
}

function mergeAdmission(pool: InferencePool, model: InferenceModel): RouteAdmission {
  const overrides = model.spec.admission;
  const defaults = pool.spec.admission;
  const setting = (name: 'batchWindow' | 'batchWindowMaxP95') =>
    milliseconds(overrides?.[name] ?? defaults[name] ?? DEFAULTS.admission[name]);
  const lengthMs = setting('batchWindow');
  const adaptive = adaptiveConcurrency(pool, model);
  return {
    maxQueue: overrides?.maxQueue ?? defaults.maxQueue,
    queueTimeoutMs: milliseconds(overrides?.queueTimeout ?? defaults.queueTimeout),
    wakeTimeoutMs: milliseconds(overrides?.wakeTimeout ?? defaults.wakeTimeout),
    degradation: degradationTiers(pool, model).map(compileTier).reverse(),
    ...(lengthMs > 0 && { batchWindow: { lengthMs, maxP95Ms: setting('batchWindowMaxP95') } }),
    ...(adaptive && { adaptiveConcurrency: adaptive }),
  };
}

function compileTier({ p95Above, ...tier }: DegradationTier): RouteAdmission['degradation'][number] {
  return { ...tier, ...(p95Above !== undefined && { p95AboveMs: milliseconds(p95Above) }) };
}

function milliseconds(duration: string): number {
  return Math.round(durationSeconds(duration) * 1000);
}

function byName(a: RouteModel, b: RouteModel): number {
  if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
