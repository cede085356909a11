/** Builds and caches the route table entry of each model of a pool. An entry is the same object until its content changes. */

import { isDeepStrictEqual } from 'node:util';
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import { findCondition } from '../../kube/conditions.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import type { Logger } from '../../kube/logger.ts';
import type { KubeObject } from '../../kube/object.ts';
import { isOwnedBy } from '../../kube/owner-reference.ts';
import { PerObject } from '../../kube/per-object.ts';
import type { Watchable } from '../../kube/store.ts';
import { isStoppedByBudget } from '../../model/budget-stop.ts';
import type { Resolution } from '../../model/resolved-model.ts';
import type { ResolvedScaling } from '../../model/resolved-scaling.ts';
import type { Verdict } from '../../model/verdict.ts';
import { engineKeyOf } from '../../render/names.ts';
import {
  compileRouteModel,
  type RouteEngine,
  type RouteModelInput,
} from '../../router/compile-route-table.ts';
import type { LeavingPods } from '../../router/endpoints-from-slices.ts';
import type { RouteModel, RouteTable } from '../../router/route-table.ts';
import { isHeldBack, type Lifecycle, STATE_OF } from '../../scaling/phase.ts';
import type { AcceptanceCache } from '../acceptance/acceptance-cache.ts';
import type { SavedNames } from '../acceptance/grant-ledger.ts';
import { type EngineHealth, engineHealth } from '../model/engine-health.ts';
import { NO_REPLICAS } from '../model/model-status.ts';
import { observedPhase } from '../model/observed-phase.ts';
import type { LifecyclesView } from '../scaling/lifecycles.ts';
import { byModel, type ClusterState } from '../shared/cluster-state.ts';
import type { DeparturesView } from '../shared/departures.ts';
import type { Resolutions } from '../shared/resolutions.ts';
import { podEndpoints } from './pod-endpoints.ts';

export interface ModelRoutesOptions {
  state: ClusterState;
  resolutions: Resolutions;
  acceptance: AcceptanceCache;
  lifecycles: LifecyclesView;
  departures: DeparturesView;
  log: Logger;
}

/** An entry and its inputs, except children and pods, whose changes are watched. */
interface CachedRoute extends Partial<Omit<RouteInputs, 'model'>> {
  route: RouteModel;
  /** Undefined if the entry is stale. */
  model: InferenceModel | undefined;
  engine?: RouteEngine;
}

/** What decides how a model is routed, if at all. */
interface RouteInputs {
  model: InferenceModel;
  /** Changes with the spec of the pool. */
  pool: string;
  verdict: Verdict;
  /** Changes with the names of any model of the pool. */
  names: SavedNames;
  lifecycle: Lifecycle;
  /** Engine pods with an eviction notice. */
  leaving: LeavingPods | undefined;
}

/** Capacity of an engine whose settings are unknown: vLLM's default on smaller accelerators. */
const DEFAULT_CAPACITY = 256;

/**
 * Longest reason that clients get, in characters. A condition can quote 32 kB of a spec, and every router and one
 * ConfigMap hold the table of the whole pool.
 */
const MAX_MESSAGE = 1_024;

export class ModelRoutes {
  readonly #options: ModelRoutesOptions;
  /** By model. */
  readonly #cached: PerObject<CachedRoute>;
  /** By model: the settings with which it was last accepted. */
  readonly #lastAccepted: PerObject<RouteEngine>;
  /** The list of granted names that was last found to cover all names of an engine. */
  readonly #heldNames = new WeakMap<RouteEngine, readonly string[]>();
  /** By model: the error that was logged last. */
  readonly #logged: PerObject<string>;

  constructor(options: ModelRoutesOptions) {
    this.#options = options;
    const { models, deployments, pods, endpointSlices, services } = options.state;
    this.#cached = new PerObject(models.store);
    this.#lastAccepted = new PerObject(models.store);
    this.#logged = new PerObject(models.store);
    const children: Watchable<KubeObject>[] = [
      deployments.store,
      pods.store,
      endpointSlices.store,
      services.store,
    ];
    for (const store of children) {
      store.subscribe(({ old, new: now }) => {
        for (const object of [old, now]) if (object) for (const key of byModel(object)) this.#changed(key);
      });
    }
  }

  /** Starts from the table that a previous leader published. */
  adopt(table: RouteTable): void {
    for (const route of table.models) {
      this.#cached.set(route.uid, { route, model: undefined });
      this.#lastAccepted.set(route.uid, {
        servedNames: route.servedNames,
        adapters: route.adapters,
        capacity: route.endpoints[0]?.capacity ?? DEFAULT_CAPACITY,
        ...(route.maxModelLen !== undefined && { maxModelLen: route.maxModelLen }),
      });
    }
  }

  /**
   * The entries of a pool. Each model is routed only under the names that it is granted. An accepted model is routed
   * according to its spec. A model whose new spec is rejected keeps its previous route. A model in a namespace that the
   * pool does not allow has no route. A model that cannot be routed because of a bug is logged and does not affect the
   * others.
   */
  of(pool: InferencePool): RouteModel[] {
    const { resolutions, acceptance, lifecycles, departures } = this.#options;
    const version = versionOf(pool);
    const verdicts = acceptance.verdicts(pool);
    const namesOf = acceptance.names(pool);
    const resolve = resolutions.inPool(pool);
    return acceptance.models(pool).flatMap((model): RouteModel[] => {
      const { uid = '' } = model.metadata;
      const verdict = verdicts.get(uid);
      if (!verdict) return [];
      const [lifecycle, leaving] = [lifecycles.of(uid), departures.leaving(uid)];
      const inputs = { model, pool: version, verdict, names: namesOf, lifecycle, leaving };
      const cached = this.#cached.get(uid);
      // Of thousands of models, one or two have changed.
      if (cached?.verdict === verdict && cached.names === namesOf && isMadeOf(cached, inputs))
        return [cached.route];
      try {
        const resolution = this.#attempt(resolve, model);
        const present = verdict.accepted ? resolution?.engine : undefined;
        const engine = this.#granted(model, present, namesOf(model));
        return engine ? [this.#route(pool, inputs, { engine, scaling: resolution?.scaling })] : [];
      } catch (error) {
        this.#logOnce(model, error);
        return [];
      }
    });
  }

  /** Logs an unexpected error once until it changes, because tables are compiled many times per second. */
  #logOnce(model: InferenceModel, err: unknown): void {
    const { uid = '' } = model.metadata;
    const message = String(err);
    if (this.#logged.get(uid) === message) return;
    this.#logged.set(uid, message);
    this.#options.log.error({ err, model: keyOf(model) }, 'cannot build the route of the model');
  }

  /**
   * The settings to route: the present spec if all its names are granted, else the last accepted one limited to granted
   * names.
   */
  #granted(
    { metadata: { uid = '' } }: InferenceModel,
    present: RouteEngine | undefined,
    names: readonly string[],
  ): RouteEngine | undefined {
    if (names.length === 0) return undefined;
    if (present && this.#isHeld(present, names)) {
      this.#lastAccepted.set(uid, present);
      return present;
    }
    const last = this.#lastAccepted.get(uid);
    if (!last || this.#isHeld(last, names)) return last;
    const limited = withNames(last, new Set(names));
    this.#lastAccepted.set(uid, limited);
    return limited.servedNames.length > 0 ? limited : undefined;
  }

  #isHeld(engine: RouteEngine, names: readonly string[]): boolean {
    if (this.#heldNames.get(engine) === names) return true;
    const held = new Set(names);
    const isHeld = namesOf(engine).every((name) => held.has(name));
    if (isHeld) this.#heldNames.set(engine, names);
    return isHeld;
  }

  #changed(modelKey: Key): void {
    const cached = this.#cached.get(this.#options.state.models.store.get(modelKey)?.metadata.uid ?? '');
    if (cached) cached.model = undefined;
  }

  #route(
    pool: InferencePool,
    inputs: RouteInputs,
    { engine, scaling }: { engine: RouteEngine; scaling: ResolvedScaling | undefined },
  ): RouteModel {
    const { uid = '' } = inputs.model.metadata;
    const cached = this.#cached.get(uid);
    const made =
      cached?.engine === engine && isMadeOf(cached, inputs)
        ? cached.route
        : compileRouteModel(pool, this.#input(inputs, engine, scaling));
    const route = cached && isDeepStrictEqual(cached.route, made) ? cached.route : made;
    this.#cached.set(uid, { route, engine, ...inputs });
    return route;
  }

  #input(
    { model, lifecycle, leaving }: RouteInputs,
    engine: RouteEngine,
    scaling: ResolvedScaling | undefined,
  ): RouteModelInput {
    const { state } = this.#options;
    const key = keyOf(model);
    const engineKey = engineKeyOf(model);
    const pods = state.pods.store.byIndex('byModel', key);
    const service = state.services.store.get(engineKey);
    const health = engineHealth(state.deployments.store.get(engineKey), pods);
    // A table contains neither timestamps nor what a model waits for.
    const phase = observedPhase(lifecycle.phase, { model, health, waiting: false, now: 0 });
    const ending = pods.filter(({ metadata }) => metadata.deletionTimestamp !== undefined);
    return {
      model,
      engine,
      slices: podEndpoints(state.endpointSlices.store.byIndex('byModel', key), pods),
      service: service && isOwnedBy(service, model.metadata.uid ?? '') ? service : undefined,
      state: STATE_OF[phase.is],
      unavailable: unavailable(model, scaling, health, lifecycle),
      heldBack: isHeldBack(phase),
      leaving,
      ending: new Set(ending.map(({ metadata }) => metadata.uid ?? '')),
    };
  }

  /** Returns undefined on an unexpected error, so that the model keeps its previous route. */
  #attempt(resolve: (model: InferenceModel) => Resolution, model: InferenceModel): Resolution | undefined {
    try {
      return resolve(model);
    } catch (error) {
      this.#logOnce(model, error);
      return undefined;
    }
  }
}

function namesOf({ servedNames, adapters }: RouteEngine): string[] {
  return [...servedNames, ...adapters];
}

function withNames(engine: RouteEngine, held: ReadonlySet<string>): RouteEngine {
  const own = (names: readonly string[]) => names.filter((name) => held.has(name));
  return { ...engine, servedNames: own(engine.servedNames), adapters: own(engine.adapters) };
}

/** Whether nothing but the engine settings and names of the model can have changed since the entry was made. */
function isMadeOf(cached: CachedRoute, { model, pool, lifecycle, leaving }: RouteInputs): boolean {
  return (
    cached.model === model &&
    cached.pool === pool &&
    cached.lifecycle === lifecycle &&
    cached.leaving === leaving
  );
}

/** Changes with the spec of a pool, but not with its status. */
function versionOf({ metadata }: InferencePool): string {
  return `${metadata.uid}/${metadata.generation}`;
}

const BUDGET = 'the budget of its namespace for this month is used up';

/** Why routers reject a request for the model at once, because no engine is coming that could answer it. */
function unavailable(
  model: InferenceModel,
  scaling: ResolvedScaling | undefined,
  health: EngineHealth,
  { failure }: Lifecycle,
): RouteModelInput['unavailable'] {
  if (model.spec.suspend) return { reason: 'Suspended', message: 'the model is suspended by its owner' };
  if (isStoppedByBudget(model)) return { reason: 'BudgetExhausted', message: BUDGET };
  if (health.ready > 0 || failure?.retryable) return undefined;
  if (failure) return { reason: failure.reason, message: failure.message.slice(0, MAX_MESSAGE) };
  if (scaling?.kind === 'Fixed' && scaling.replicas === 0)
    return { reason: 'NoReplicas', message: NO_REPLICAS };
  const stalled = findCondition(model.status?.conditions, 'Stalled');
  return stalled?.status === 'True'
    ? { reason: stalled.reason, message: stalled.message.slice(0, MAX_MESSAGE) }
    : undefined;
}
