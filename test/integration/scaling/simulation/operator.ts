/** The operator's own scaling code, all of it, with a simulated cluster and routers around it. */
import { Registry } from 'prom-client';
import type { InferenceModel, InferencePool } from '../../../../operator/api/types.ts';
import { engineHealth } from '../../../../operator/controllers/model/engine-health.ts';
import { HoldVersions } from '../../../../operator/controllers/routes/hold-versions.ts';
import { AcceleratorBudget } from '../../../../operator/controllers/scaling/accelerator-budget.ts';
import { BoundsCache } from '../../../../operator/controllers/scaling/bounds-cache.ts';
import { Lifecycles } from '../../../../operator/controllers/scaling/lifecycles.ts';
import { ReplicasWriter } from '../../../../operator/controllers/scaling/replicas-writer.ts';
import { ScalingModes } from '../../../../operator/controllers/scaling/scaling-modes.ts';
import { ScalingReconciler } from '../../../../operator/controllers/scaling/scaling-reconciler.ts';
import { watchForScaling } from '../../../../operator/controllers/scaling/setup.ts';
import {
  type ClusterState,
  createClusterState,
} from '../../../../operator/controllers/shared/cluster-state.ts';
import { Departures } from '../../../../operator/controllers/shared/departures.ts';
import { Resolutions } from '../../../../operator/controllers/shared/resolutions.ts';
import type { Deployment, Pod } from '../../../../operator/controllers/shared/workloads.ts';
import type { KubeClient } from '../../../../operator/kube/client.ts';
import type { Controller } from '../../../../operator/kube/controller.ts';
import type { EventInput, EventRecorder } from '../../../../operator/kube/events.ts';
import { keyOf } from '../../../../operator/kube/key.ts';
import { silentLogger } from '../../../../operator/kube/logger.ts';
import type { KubeObject } from '../../../../operator/kube/object.ts';
import { ColdStartRecorder } from '../../../../operator/scaling/cold-start-recorder.ts';
import { DemandTracker } from '../../../../operator/scaling/demand.ts';
import { isHeldBack } from '../../../../operator/scaling/phase.ts';
import { anAcceptance } from '../../../unit/controllers/support.ts';
import type { Random } from './random.ts';
import type { SimRoute, SimRouter, SimTable } from './routers.ts';
import type { Timeline } from './timeline.ts';

export interface SimOperatorOptions {
  timeline: Timeline;
  random: Random;
  pool: InferencePool;
  models: readonly InferenceModel[];
  deployments: readonly Deployment[];
  pods: readonly Pod[];
  /** Up to which deployments and pods are. */
  resourceVersion: string;
  routers: readonly SimRouter[];
  /** The newest table that an earlier operator has published. */
  table: SimTable;
  /** A write to /scale; returns the resource version. */
  scale: (model: string, replicas: number) => string;
  onEvent: (model: string, event: EventInput) => void;
  /** Counts over all operators. */
  registry: Registry;
}

/** Time between two polls of a router when nothing is held. */
const POLL_MS = 1_000;

export class SimOperator {
  readonly #options: SimOperatorOptions;
  readonly #state: ClusterState;
  readonly #demand: DemandTracker;
  readonly #lifecycles: Lifecycles;
  readonly #budget: AcceleratorBudget;
  readonly #holds = new HoldVersions();
  readonly #scaling: ScalingReconciler;
  readonly #modes: ScalingModes;
  readonly #resolutions: Resolutions;
  readonly #due = new Map<string, { at: number; cancel: () => void }>();
  readonly #poolKey: string;
  #routesDue = false;
  #alive = true;
  table: SimTable;
  /** How often models were looked at. */
  reconciles = 0;

  constructor(options: SimOperatorOptions) {
    this.#options = options;
    const { timeline, pool, models } = options;
    this.table = options.table;
    this.#poolKey = keyOf(pool);
    this.#state = createClusterState({
      client: undefined as unknown as KubeClient,
      log: silentLogger,
      registry: new Registry(),
    });
    const state = this.#state;
    state.pools.store.replace([pool], '1');
    state.models.store.replace(models, '1');
    state.deployments.store.replace(options.deployments, options.resourceVersion);
    state.pods.store.replace(options.pods, options.resourceVersion);
    const acceptance = anAcceptance(state, { clock: timeline });
    const bounds = new BoundsCache();
    this.#resolutions = new Resolutions(state);
    const resolutions = this.#resolutions;
    const enqueueUid = (_pool: string, uid: string) => {
      for (const model of state.models.store.byIndex('byUid', uid)) this.enqueue(keyOf(model));
    };
    const coldStarts = new ColdStartRecorder({ clock: timeline, models: state.models.store });
    this.#demand = new DemandTracker({
      clock: timeline,
      models: state.models.store,
      isModelOf: () => true,
      onHeld: enqueueUid,
      onBusy: enqueueUid,
    });
    this.#modes = new ScalingModes({
      state,
      clock: timeline,
      metricsApi: () => ({ owner: 'ours', available: true, since: 0, message: '' }),
    });
    const patch = async (_type: unknown, { name }: { name: string }, body: { merge: unknown }) => {
      const { replicas } = (body.merge as { spec: { replicas: number } }).spec;
      const model = name.replace(/^vllm-/, '');
      return { metadata: { name, resourceVersion: options.scale(model, replicas) } };
    };
    const replicas = new ReplicasWriter({ patch } as unknown as KubeClient, state.models.store);
    this.#lifecycles = new Lifecycles(state.models.store);
    this.#budget = new AcceleratorBudget({
      state,
      resolutions,
      acceptance,
      lifecycles: this.#lifecycles,
      replicas,
      departures: new Departures(state.models.store),
      demand: this.#demand,
      minReplicas: (scaling) => bounds.of(scaling, timeline.now()).minReplicas,
    });
    this.#scaling = new ScalingReconciler({
      state,
      resolutions,
      acceptance,
      replicas,
      budget: this.#budget,
      budgets: { stops: () => false },
      demand: this.#demand,
      lifecycles: this.#lifecycles,
      events: {
        emit: (model: KubeObject, event: EventInput) => options.onEvent(model.metadata.name, event),
      } as EventRecorder,
      clock: timeline,
      modes: this.#modes,
      bounds,
      coldStarts,
      mountFailure: () => undefined,
      registry: options.registry,
      heldBackSince: (_pool, uid) => this.#holds.since(uid),
      onChanged: () => this.#publishSoon(),
      onTouched: (keys) => {
        for (const key of keys) this.enqueue(key);
      },
    });
    const controller = {
      watch: <T extends KubeObject>(
        store: { subscribe: (handler: (change: { old?: T; new?: T }) => void) => unknown },
        { map = (object: T) => [keyOf(object)] }: { map?: (object: T) => string[] } = {},
      ) =>
        store.subscribe(({ old, new: now }) => {
          const keys = new Set([...(old ? map(old) : []), ...(now ? map(now) : [])]);
          for (const key of keys) this.enqueue(key);
        }),
    } as unknown as Controller;
    watchForScaling(controller, state, (poolKey) => this.#budget.waiting(poolKey));
    state.pods.store.subscribe(() => this.#publishSoon());
    this.#publishSoon();
    timeline.after(options.random.between(100, 1_500), () => this.#listen());
  }

  /** The process dies, and all that it knows with it. */
  kill(): void {
    this.#alive = false;
  }

  mode(model: InferenceModel): string {
    const { pool } = this.#options;
    const { scaling } = this.#resolutions.of(pool, model);
    return this.#modes.of({ model, pool, scaling }).mode;
  }

  demandFor(model: InferenceModel) {
    return this.#demand.of(this.#poolKey, model.metadata.uid ?? '');
  }

  isWaiting(model: InferenceModel): boolean {
    return this.#budget.isWaiting(model.metadata.uid ?? '');
  }

  /** What the watch brings. */
  sawDeployment(deployment: Deployment): void {
    if (this.#alive) this.#state.deployments.store.upsert(deployment);
  }

  sawModel(model: InferenceModel): void {
    if (this.#alive) this.#state.models.store.upsert(model);
  }

  sawPod(pod: Pod, gone: boolean): void {
    if (!this.#alive) return;
    if (gone) this.#state.pods.store.remove(pod);
    else this.#state.pods.store.upsert(pod);
  }

  enqueue(key: string, afterMs = 0): void {
    if (!this.#alive) return;
    const { timeline } = this.#options;
    const at = timeline.monotonic() + afterMs;
    const known = this.#due.get(key);
    if (known && known.at <= at) return;
    known?.cancel();
    this.#due.set(key, { at, cancel: timeline.after(afterMs, () => this.#reconcile(key)) });
  }

  async #reconcile(key: string): Promise<void> {
    if (!this.#alive) return;
    this.#due.delete(key);
    this.reconciles += 1;
    const result = await this.#scaling.reconcile(key, {
      signal: new AbortController().signal,
      log: silentLogger,
    });
    if (result?.requeueAfterMs !== undefined) this.enqueue(key, result.requeueAfterMs);
  }

  /** Routers become known, and each is polled from then on. */
  #listen(): void {
    if (!this.#alive) return;
    const { routers, timeline, random } = this.#options;
    this.#demand.setRouters(
      this.#poolKey,
      routers.map(({ id }) => id),
    );
    for (const router of routers) {
      const poll = () => {
        if (!this.#alive) return;
        if (router.reachable) this.#demand.report(this.#poolKey, router.id, router.report());
        timeline.after(POLL_MS, poll);
      };
      timeline.after(random.between(10, 100), poll);
      let told = false;
      router.onHeld = () => {
        if (told) return;
        told = true;
        timeline.after(random.between(2, 20), () => {
          told = false;
          if (this.#alive && router.reachable) this.#demand.report(this.#poolKey, router.id, router.report());
        });
      };
    }
  }

  /** Routes are compiled a moment after what they show has changed. */
  #publishSoon(): void {
    if (this.#routesDue || !this.#alive) return;
    this.#routesDue = true;
    const { timeline, random } = this.#options;
    timeline.after(random.between(2, 20), () => {
      this.#routesDue = false;
      if (this.#alive) this.#publish();
    });
  }

  #publish(): void {
    const { routers, timeline, random } = this.#options;
    const models = this.#state.models.store.list().map((model) => this.#route(model));
    if (JSON.stringify(models) === JSON.stringify(this.table.models)) return;
    const table = { version: this.table.version + 1, models };
    this.table = table;
    this.#holds.note(table);
    for (const router of routers) {
      const push = () => {
        if (!this.#alive || this.table !== table) return;
        if (router.reachable) router.apply(table);
        else timeline.after(500, push);
      };
      timeline.after(random.between(2, 60), push);
    }
  }

  #route(model: InferenceModel): SimRoute {
    const pods = this.#state.pods.store.byIndex('byModel', keyOf(model));
    const uid = model.metadata.uid ?? '';
    const { phase, failure } = this.#lifecycles.of(uid);
    const draining = isHeldBack(phase);
    const blocked = engineHealth(undefined, pods).ready === 0 && failure !== undefined && !failure.retryable;
    return {
      uid,
      endpoints: pods
        .filter(({ status }) => status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'))
        .map(({ metadata }) => ({
          id: metadata.name,
          draining: draining || metadata.deletionTimestamp !== undefined,
        })),
      ...(blocked && { unavailable: failure.reason }),
    };
  }
}
