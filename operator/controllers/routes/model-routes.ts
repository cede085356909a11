/** What the route table says of each model of a pool. An entry is the same object until it says something else. */
import { isDeepStrictEqual } from 'node:util';
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import { findCondition } from '../../kube/conditions.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import type { Logger } from '../../kube/logger.ts';
import type { KubeObject } from '../../kube/object.ts';
import { isOwnedBy } from '../../kube/owner-reference.ts';
import { PerObject } from '../../kube/per-object.ts';
import type { Watchable } from '../../kube/store.ts';
import type { Resolution } from '../../model/resolved-model.ts';
import type { ResolvedScaling } from '../../model/resolved-scaling.ts';
import { engineKeyOf } from '../../render/names.ts';
import {
  compileRouteModel,
  type RouteEngine,
  type RouteModelInput,
} from '../../router/compile-route-table.ts';
import type { LeavingPods } from '../../router/endpoints-from-slices.ts';
import type { RouteModel, RouteTable } from '../../router/route-table.ts';
import { isHeldBack, type Life, STATE_OF } from '../../scaling/phase.ts';
import type { AcceptanceCache } from '../acceptance/acceptance-cache.ts';
import { type EngineHealth, engineHealth } from '../model/engine-health.ts';
import { NO_REPLICAS } from '../model/model-status.ts';
import { phaseSeen } from '../model/phase-seen.ts';
import type { LivesView } from '../scaling/lives.ts';
import { byModel, type ClusterState } from '../shared/cluster-state.ts';
import type { DeparturesView } from '../shared/departures.ts';
import type { Resolutions } from '../shared/resolutions.ts';
import { podEndpoints } from './pod-endpoints.ts';

export interface ModelRoutesOptions {
  state: ClusterState;
  resolutions: Resolutions;
  acceptance: AcceptanceCache;
  lives: LivesView;
  departures: DeparturesView;
  log: Logger;
}

/** An entry, and what it was made of besides children and pods, whose changes are watched. */
interface CachedRoute extends Partial<Remembered> {
  route: RouteModel;
  /** Undefined: to be made anew. */
  model: InferenceModel | undefined;
  engine?: RouteEngine;
  pool?: string;
}

/** What scaling remembers that clients notice. */
interface Remembered {
  life: Life;
  /** Engines whose end is announced. */
  leaving: LeavingPods | undefined;
}

/** Capacity of an engine of which nothing is known any more: vLLM's own default on smaller accelerators. */
const DEFAULT_CAPACITY = 256;

/**
 * Longest reason that clients are told. A condition may quote 32 kB of a spec, and the table of a pool is in the memory of
 * every router and in one ConfigMap for all its teams.
 */
const MAX_MESSAGE = 1_024;

export class ModelRoutes {
  readonly #options: ModelRoutesOptions;
  /** Of models, as all of this class. */
  readonly #cached: PerObject<CachedRoute>;
  /** The settings under which a model was last accepted. */
  readonly #lastAccepted: PerObject<RouteEngine>;
  /** The list of held names that was last found to have all of an engine's. */
  readonly #heldNames = new WeakMap<RouteEngine, readonly string[]>();
  /** The error that was logged last. */
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

  /** Takes over what an operator before this one published. */
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
   * The entries of a pool, under the names that each model holds and no others. A model that the pool takes is routed as its
   * spec says; one whose new spec is refused keeps what it had; one of a namespace that is not admitted has no route. Nor
   * has one that cannot be routed by a mistake of ours, which is logged and holds up no other.
   */
  of(pool: InferencePool): RouteModel[] {
    const { state, resolutions, acceptance } = this.#options;
    const version = versionOf(pool);
    const verdicts = acceptance.verdicts(pool);
    const namesOf = acceptance.names(pool);
    const resolve = resolutions.inPool(pool);
    return state.models.store.byIndex('byPool', keyOf(pool)).flatMap((model): RouteModel[] => {
      const verdict = verdicts.get(model.metadata.uid ?? '');
      if (!verdict || (!verdict.accepted && verdict.reason === 'NamespaceNotAllowed')) return [];
      try {
        const resolution = this.#attempt(resolve, model);
        const present = verdict.accepted ? resolution?.engine : undefined;
        const engine = this.#granted(model, present, namesOf(model));
        return engine ? [this.#route(pool, version, model, { engine, scaling: resolution?.scaling })] : [];
      } catch (error) {
        this.#logOnce(model, error);
        return [];
      }
    });
  }

  /** Logs what nobody expected, once until it is another error: tables are made many times a second. */
  #logOnce(model: InferenceModel, err: unknown): void {
    const { uid = '' } = model.metadata;
    const message = String(err);
    if (this.#logged.get(uid) === message) return;
    this.#logged.set(uid, message);
    this.#options.log.error({ err, model: keyOf(model) }, 'the model cannot be routed as its spec says');
  }

  /** What to route of a model: its present spec if it holds all names of that, else what it had before under names that it holds. */
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
    version: string,
    model: InferenceModel,
    { engine, scaling }: { engine: RouteEngine; scaling: ResolvedScaling | undefined },
  ): RouteModel {
    const uid = model.metadata.uid ?? '';
    const cached = this.#cached.get(uid);
    const remembered = {
      life: this.#options.lives.of(uid),
      leaving: this.#options.departures.leaving(uid),
    };
    if (
      cached?.model === model &&
      cached.engine === engine &&
      cached.pool === version &&
      cached.life === remembered.life &&
      cached.leaving === remembered.leaving
    )
      return cached.route;
    const made = compileRouteModel(pool, this.#input(model, engine, scaling, remembered));
    const route = cached && isDeepStrictEqual(cached.route, made) ? cached.route : made;
    this.#cached.set(uid, { route, model, engine, pool: version, ...remembered });
    return route;
  }

  #input(
    model: InferenceModel,
    engine: RouteEngine,
    scaling: ResolvedScaling | undefined,
    remembered: Remembered,
  ): RouteModelInput {
    const { state } = this.#options;
    const key = keyOf(model);
    const engineKey = engineKeyOf(model);
    const pods = state.pods.store.byIndex('byModel', key);
    const service = state.services.store.get(engineKey);
    const health = engineHealth(state.deployments.store.get(engineKey), pods);
    // A table says neither since when nor for what a model waits.
    const phase = phaseSeen(remembered.life.phase, { model, health, waiting: false, now: 0 });
    const ending = pods.filter(({ metadata }) => metadata.deletionTimestamp !== undefined);
    return {
      model,
      engine,
      slices: podEndpoints(state.endpointSlices.store.byIndex('byModel', key), pods),
      service: service && isOwnedBy(service, model.metadata.uid ?? '') ? service : undefined,
      state: STATE_OF[phase.is],
      unavailable: unavailable(model, scaling, health, remembered),
      heldBack: isHeldBack(phase),
      leaving: remembered.leaving,
      ending: new Set(ending.map(({ metadata }) => metadata.uid ?? '')),
    };
  }

  /** Undefined by a mistake of ours: then it keeps what it had. */
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

/** Changes with the spec of a pool, and not with its status. */
function versionOf({ metadata }: InferencePool): string {
  return `${metadata.uid}/${metadata.generation}`;
}

/** Why a request for the model should not even wait: nothing is coming that would answer it. */
function unavailable(
  model: InferenceModel,
  scaling: ResolvedScaling | undefined,
  health: EngineHealth,
  { life: { failure } }: Remembered,
): RouteModelInput['unavailable'] {
  if (model.spec.suspend) return { reason: 'Suspended', message: 'the model is suspended by its owner' };
  if (health.ready > 0 || failure?.retryable) return undefined;
  if (failure) return { reason: failure.reason, message: failure.message.slice(0, MAX_MESSAGE) };
  if (scaling?.kind === 'Fixed' && scaling.replicas === 0)
    return { reason: 'NoReplicas', message: NO_REPLICAS };
  const stalled = findCondition(model.status?.conditions, 'Stalled');
  return stalled?.status === 'True'
    ? { reason: stalled.reason, message: stalled.message.slice(0, MAX_MESSAGE) }
    : undefined;
}
