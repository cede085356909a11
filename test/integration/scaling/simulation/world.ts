/** A pool for an hour or a day: clients, routers, operator, cluster and HPAs, and what must hold at every moment. */
import { Registry } from 'prom-client';
import {
  normalizeReplicas,
  type ScalingHistory,
} from '../../../../hack/devcluster/controllers/scaling-behavior.ts';
import type { InferenceModel, InferencePool } from '../../../../operator/api/types.ts';
import type { EventInput } from '../../../../operator/kube/events.ts';
import { boundsAt } from '../../../../operator/model/bounds.ts';
import { resolveScaling } from '../../../../operator/model/resolve-scaling.ts';
import { SimCluster, type StartOutcome } from './cluster.ts';
import { SimOperator } from './operator.ts';
import { Random } from './random.ts';
import { type Outcomes, SimRouter } from './routers.ts';
import { Timeline } from './timeline.ts';

export interface SimModel {
  model: InferenceModel;
  /** Requests per second at a moment, in milliseconds from the start. */
  rate: (at: number) => number;
  durationMs: [number, number];
  startMs?: [number, number];
  outcome?: (at: number) => StartOutcome;
  /** What KEDA or the like writes to /scale, for a model of mode External. */
  external?: (at: number) => number;
}

export interface Trouble {
  /** Average milliseconds between two deaths of the operator. */
  killEveryMs?: number;
  /** Average milliseconds between two times in which the operator cannot reach a router. */
  cutEveryMs?: number;
  crashEveryMs?: number;
}

export interface SimWorldOptions {
  seed: number;
  pool: InferencePool;
  models: readonly SimModel[];
  trouble?: Trouble;
}

interface Wake {
  since: number;
}

/** Beyond `wakeTimeout`: for what a watch, a poll or a restart takes. */
const GRACE_MS = 15_000;

export class SimWorld {
  readonly timeline = new Timeline();
  readonly #random: Random;
  readonly #options: SimWorldOptions;
  readonly cluster: SimCluster;
  readonly routers: SimRouter[];
  readonly outcomes: Outcomes = { answered: 0, refused: new Map(), longestHoldMs: 0 };
  operator: SimOperator;
  readonly violations: string[] = [];
  /** Replicas of every model as they were written: when, how many, and by whom. */
  readonly writes = new Map<string, { at: number; replicas: number; by: 'operator' | 'hpa' }[]>();
  /** What the operators count. */
  readonly registry = new Registry();
  readonly events: { at: number; model: string; reason: string; note: string }[] = [];
  readonly #wakes = new Map<string, Wake>();
  readonly #evicted = new Set<string>();
  readonly #histories = new Map<string, ScalingHistory>();
  #clientsUntil = Number.POSITIVE_INFINITY;
  #calm = false;
  #scaleWrites = 0;
  arrived = 0;
  kills = 0;

  constructor(options: SimWorldOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    const { timeline } = this;
    const random = this.#random;
    const of = (name: string) => options.models.find(({ model }) => model.metadata.name === name);
    this.cluster = new SimCluster({
      timeline,
      random,
      startMs: (name) => random.between(...(of(name)?.startMs ?? [5_000, 60_000])),
      namespace: (name) => of(name)?.model.metadata.namespace ?? '',
      outcome: (name) => of(name)?.outcome?.(timeline.monotonic()) ?? 'ready',
      onDeployment: (object) => this.#later(() => this.operator.sawDeployment(object)),
      onPod: (object, gone) => {
        if (!gone) this.#checkBudget();
        this.#later(() => this.operator.sawPod(object, gone));
      },
    });
    this.routers = ['router-0', 'router-1'].map(
      (id) => new SimRouter(id, { timeline, random, cluster: this.cluster, outcomes: this.outcomes }),
    );
    this.operator = this.#startOperator();
    const { overcommit } = options.pool.spec.capacity;
    for (const { model } of options.models) {
      const { minReplicas = 1 } = model.spec.scaling ?? {};
      this.cluster.create(model.metadata.name, overcommit ? 0 : minReplicas);
    }
    for (const sim of options.models) this.#visit(sim);
    this.#repeat(15_000, () => this.#autoscale());
    this.#repeat(15_000, () => this.#scaleFromOutside());
    this.#troubles(options.trouble ?? {});
  }

  /** Runs on with clients, then without any, until all is as it stays. */
  async run(ms: number, quietMs = 0): Promise<void> {
    const check = () => this.#check();
    this.#clientsUntil = this.timeline.monotonic() + ms;
    await this.timeline.run(ms, check);
    this.#calm = true;
    for (const router of this.routers) router.reachable = true;
    if (quietMs > 0) await this.timeline.run(quietMs, check);
  }

  violate(what: string): void {
    const at = (this.timeline.monotonic() / 1_000).toFixed(3);
    if (this.violations.length < 10) this.violations.push(`${at} s: ${what}`);
  }

  /** A watch brings what has changed a moment later, in order. */
  #watchedUntil = 0;
  #later(run: () => void): void {
    const now = this.timeline.monotonic();
    this.#watchedUntil = Math.max(this.#watchedUntil, now + this.#random.between(1, 150));
    this.timeline.after(this.#watchedUntil - now, run);
  }

  #startOperator(): SimOperator {
    const { timeline, cluster, routers } = this;
    const { pool, models } = this.#options;
    const names = models.map(({ model }) => model.metadata.name);
    const operator = new SimOperator({
      timeline,
      random: this.#random,
      pool,
      models: models.map(({ model }) => model),
      deployments: this.operator ? names.map((name) => cluster.deploymentObject(name)) : [],
      pods: cluster.pods.map((pod) => cluster.podObject(pod)),
      resourceVersion: cluster.resourceVersion,
      routers,
      table: this.operator?.table ?? { version: 1, models: [] },
      scale: (model, replicas) => this.#write(operator, model, replicas),
      onEvent: (model, event) => this.#event(model, event),
      registry: this.registry,
    });
    return operator;
  }

  #write(operator: SimOperator, name: string, replicas: number): string {
    if (operator !== this.operator) this.violate(`a dead operator wrote ${replicas} for ${name}`);
    const before = this.cluster.replicas(name);
    this.#note(name, replicas, 'operator');
    if (replicas === 0) this.#checkSleep(name);
    if (before === 0 && replicas > 0) this.#wakes.set(name, { since: this.timeline.monotonic() });
    if (replicas === 0) this.#wakes.delete(name);
    return this.cluster.scale(name, replicas);
  }

  #note(name: string, replicas: number, by: 'operator' | 'hpa'): void {
    const writes = this.writes.get(name) ?? [];
    this.writes.set(name, writes);
    writes.push({ at: this.timeline.monotonic(), replicas, by });
    const { maxReplicas } = this.#bounds(name);
    if (replicas > maxReplicas) this.violate(`${name}: ${replicas} replicas, above the maximum`);
  }

  #event(model: string, { reason, note }: EventInput): void {
    this.events.push({ at: this.timeline.monotonic(), model, reason, note });
    if (reason === 'Evicted') this.#evicted.add(model);
    if (reason === 'Woken') this.#evicted.delete(model);
  }

  #model(name: string): SimModel {
    const found = this.#options.models.find(({ model }) => model.metadata.name === name);
    if (!found) throw new Error(`no model ${name}`);
    return found;
  }

  #bounds(name: string) {
    const { scaling } = resolveScaling(this.#model(name).model.spec.scaling);
    return boundsAt(scaling, this.timeline.now());
  }

  #checkSleep(name: string): void {
    const { model } = this.#model(name);
    const serving = this.cluster.podsOf(name).filter(({ state }) => state === 'ready');
    const inFlight = serving.reduce((sum, pod) => sum + pod.inFlight, 0);
    if (inFlight > 0) this.violate(`${name}: put to sleep with ${inFlight} in flight`);
    const demand = this.operator.demandFor(model);
    if (serving.length === 0) return;
    if (!demand.known) this.violate(`${name}: put to sleep while demand is unknown`);
    if (demand.held > 0 && !this.#evicted.has(name)) this.violate(`${name}: put to sleep with requests held`);
    if (this.#bounds(name).minReplicas > 0) this.violate(`${name}: put to sleep below its minimum`);
  }

  #checkBudget(): void {
    const { accelerators, namespaceQuotas = [] } = this.#options.pool.spec.capacity;
    const held = this.cluster.pods.length;
    if (accelerators !== undefined && held > accelerators)
      this.violate(`${held} accelerators in use of ${accelerators}`);
    for (const quota of namespaceQuotas) {
      const ofNamespace = this.cluster.pods.filter(
        ({ model }) => this.#model(model).model.metadata.namespace === quota.namespace,
      ).length;
      if (ofNamespace > quota.accelerators) this.violate(`${ofNamespace} accelerators in ${quota.namespace}`);
    }
  }

  #check(): void {
    const now = this.timeline.monotonic();
    for (const [name, wake] of this.#wakes) {
      if (this.cluster.podsOf(name).some(({ state }) => state === 'ready')) {
        this.#wakes.delete(name);
      } else if (now - wake.since > WAKE_TIMEOUT_MS + GRACE_MS) {
        this.violate(`${name}: a wake has ended neither in service nor with a reason`);
        this.#wakes.delete(name);
      }
    }
  }

  #visit(sim: SimModel): void {
    const { timeline } = this;
    const name = sim.model.metadata.name;
    const next = () => {
      const rate = sim.rate(timeline.monotonic());
      const gap = rate > 0 ? this.#random.gapMs(rate) : 1_000;
      // Rates change meanwhile: look again at least every few seconds, which an exponential gap permits.
      timeline.after(Math.min(gap, 5_000), () => {
        if (timeline.monotonic() >= this.#clientsUntil) return;
        if (rate > 0 && gap <= 5_000) this.#arrive(name, sim);
        next();
      });
    };
    next();
  }

  #arrive(model: string, { durationMs }: SimModel): void {
    this.arrived += 1;
    this.#random.pick(this.routers)?.arrive({
      model,
      arrived: this.timeline.monotonic(),
      durationMs: this.#random.between(...durationMs),
    });
  }

  /** HPAs as kube-controller-manager has them, on what the operator serves. */
  #autoscale(): void {
    for (const { model } of this.#options.models) {
      const { name } = model.metadata;
      const current = this.cluster.replicas(name);
      const demand = this.operator.demandFor(model);
      if (this.operator.mode(model) !== 'HPA' || current === 0 || !demand.known) continue;
      const { minReplicas, maxReplicas } = this.#bounds(name);
      const spec = {
        scaleTargetRef: { kind: 'Deployment', name },
        minReplicas: Math.max(1, minReplicas),
        maxReplicas,
        ...(model.spec.scaling?.behavior && { behavior: model.spec.scaling.behavior }),
      };
      const target = model.spec.scaling?.target ?? 1;
      const pods = this.cluster.podsOf(name).filter(({ state }) => state !== 'terminating').length;
      const usage = demand.inFlight + demand.queued + demand.held;
      const near = Math.abs(usage / (target * Math.max(1, pods)) - 1) <= 0.1;
      const desired = near ? current : Math.ceil(usage / target - 1e-9);
      const history = this.#histories.get(name) ?? { recommendations: [], changes: [] };
      this.#histories.set(name, history);
      const now = this.timeline.monotonic();
      const autoscaler = { spec } as Parameters<typeof normalizeReplicas>[0];
      const { replicas } = normalizeReplicas(autoscaler, history, current, desired, now);
      if (replicas === current) continue;
      history.changes.push({ by: replicas - current, at: now });
      this.#note(name, replicas, 'hpa');
      if (replicas === 0) this.violate(`${name}: put to sleep by the HPA`);
      this.cluster.scale(name, replicas);
    }
  }

  #scaleFromOutside(): void {
    for (const sim of this.#options.models) {
      const { metadata, spec } = sim.model;
      const replicas = sim.external?.(this.timeline.monotonic());
      if (replicas === undefined || replicas === spec.scaling?.replicas) continue;
      this.#scaleWrites += 1;
      const model = {
        ...sim.model,
        metadata: { ...metadata, resourceVersion: String(this.#scaleWrites) },
        spec: { ...spec, scaling: { ...spec.scaling, replicas } },
      };
      sim.model = model;
      this.#later(() => this.operator.sawModel(model));
    }
  }

  #troubles({ killEveryMs, cutEveryMs, crashEveryMs }: Trouble): void {
    const { timeline } = this;
    const random = this.#random;
    const again = (everyMs: number | undefined, run: () => void) => {
      if (everyMs === undefined) return;
      timeline.after(random.between(0.2, 1.8) * everyMs, () => {
        if (this.#calm) return;
        run();
        again(everyMs, run);
      });
    };
    again(killEveryMs, () => {
      this.kills += 1;
      this.operator.kill();
      // Nobody scales meanwhile; a wake that is under way gets its time anew.
      timeline.after(random.between(500, 20_000), () => {
        this.operator = this.#startOperator();
        for (const wake of this.#wakes.values()) wake.since = timeline.monotonic();
      });
    });
    again(cutEveryMs, () => {
      const router = random.pick(this.routers);
      if (!router) return;
      router.reachable = false;
      timeline.after(random.between(500, 30_000), () => {
        router.reachable = true;
      });
    });
    again(crashEveryMs, () => {
      const pod = random.pick(this.cluster.pods.filter(({ state }) => state === 'ready'));
      if (pod) this.cluster.crash(pod);
    });
  }

  #repeat(everyMs: number, run: () => void): void {
    this.timeline.after(everyMs, () => {
      run();
      this.#repeat(everyMs, run);
    });
  }

  /** Requests that wait in routers. */
  get held(): number {
    return this.#options.models.reduce(
      (sum, { model }) => sum + this.routers.reduce((s, router) => s + router.held(model.metadata.name), 0),
      0,
    );
  }

  /** Writes in the opposite direction of what the other writer did less than `withinMs` before. */
  undone(withinMs: number): string[] {
    return [...this.writes].flatMap(([name, writes]) =>
      writes.slice(2).flatMap((write, i) => {
        const [older, last] = [writes[i], writes[i + 1]];
        if (!older || !last || last.by === write.by || write.at - last.at > withinMs) return [];
        const opposite = (write.replicas - last.replicas) * (last.replicas - older.replicas) < 0;
        return opposite ? [`${name}: ${last.by} ${last.replicas}, then ${write.by} ${write.replicas}`] : [];
      }),
    );
  }
}

/** `admission.wakeTimeout` of all simulated pools. */
export const WAKE_TIMEOUT_MS = 180_000;
