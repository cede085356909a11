/** Deployments and their pods: what a cluster makes of replicas, late and with failures. */
import type { Deployment, Pod } from '../../../../operator/controllers/shared/workloads.ts';
import { engineName } from '../../../../operator/render/names.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';
import { uidOf } from './uid-of.ts';

/** How the engines of a model start at a moment. */
export type StartOutcome = 'ready' | 'unschedulable' | 'imagePull';

export interface SimPod {
  name: string;
  model: string;
  state: 'starting' | 'ready' | 'terminating';
  outcome: StartOutcome;
  /** What its status says is wrong, once it does. */
  troubled: boolean;
  inFlight: number;
}

export interface ClusterOptions {
  timeline: Timeline;
  random: Random;
  /** Milliseconds that an engine takes to become ready. */
  startMs: (model: string) => number;
  outcome: (model: string) => StartOutcome;
  namespace: (model: string) => string;
  /** An object has changed; watchers hear of it later. */
  onDeployment: (deployment: Deployment) => void;
  onPod: (pod: Pod, gone: boolean) => void;
}

export class SimCluster {
  readonly #options: ClusterOptions;
  readonly #deployments = new Map<string, { replicas: number; version: number; generation: number }>();
  readonly #pods = new Map<string, SimPod>();
  #version = 0;
  #podCount = 0;

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  get resourceVersion(): string {
    return String(this.#version);
  }

  get pods(): SimPod[] {
    return [...this.#pods.values()];
  }

  podsOf(model: string): SimPod[] {
    return this.pods.filter((pod) => pod.model === model);
  }

  pod(name: string): SimPod | undefined {
    return this.#pods.get(name);
  }

  replicas(model: string): number {
    return this.#deployments.get(model)?.replicas ?? 0;
  }

  create(model: string, replicas: number): void {
    this.#deployments.set(model, { replicas, version: 0, generation: 0 });
    this.scale(model, replicas);
  }

  /** A write to /scale; returns its resource version. */
  scale(model: string, replicas: number): string {
    const deployment = this.#deployments.get(model);
    if (!deployment) throw new Error(`there is no Deployment of ${model}`);
    deployment.replicas = replicas;
    deployment.generation += 1;
    deployment.version = ++this.#version;
    this.#options.onDeployment(this.deploymentObject(model));
    this.#options.timeline.after(this.#options.random.between(20, 300), () => this.#control(model));
    return String(deployment.version);
  }

  #control(model: string): void {
    const wanted = this.replicas(model);
    const alive = this.podsOf(model).filter(({ state }) => state !== 'terminating');
    for (let n = alive.length; n < wanted; n++) this.#start(model);
    const victims = alive.sort((a, b) => rank(a) - rank(b)).slice(0, Math.max(0, alive.length - wanted));
    for (const pod of victims) this.#stop(pod);
  }

  #start(model: string): void {
    const { timeline, outcome, startMs } = this.#options;
    this.#podCount += 1;
    const pod: SimPod = {
      name: `${model}-${this.#podCount}`,
      model,
      state: 'starting',
      outcome: outcome(model),
      troubled: false,
      inFlight: 0,
    };
    this.#pods.set(pod.name, pod);
    this.#changed(pod);
    timeline.after(pod.outcome === 'ready' ? startMs(model) : 2_000, () => {
      if (pod.state !== 'starting') return;
      if (pod.outcome === 'ready') pod.state = 'ready';
      else pod.troubled = true;
      this.#changed(pod);
    });
  }

  /** SIGTERM: the engine ends what it has, at least the time of its preStop. */
  #stop(pod: SimPod): void {
    const { timeline, random } = this.#options;
    pod.state = 'terminating';
    this.#changed(pod);
    const end = () => {
      if (pod.inFlight > 0) {
        timeline.after(500, end);
        return;
      }
      this.#pods.delete(pod.name);
      this.#changed(pod, true);
    };
    timeline.after(random.between(1_000, 6_000), end);
  }

  /** The node of an engine dies: another one is started in its place. */
  crash(pod: SimPod): void {
    this.#pods.delete(pod.name);
    this.#changed(pod, true);
    this.#options.timeline.after(500, () => this.#control(pod.model));
  }

  #changed(pod: SimPod, gone = false): void {
    this.#options.onPod(this.podObject(pod), gone);
  }

  podObject({ name, model, state, outcome, troubled }: SimPod): Pod {
    const waiting = troubled && outcome === 'imagePull' && { reason: 'ImagePullBackOff' };
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        namespace: this.#options.namespace(model),
        uid: name,
        resourceVersion: String(++this.#version),
        labels: {
          'vllm-operator.dev/model': model,
          'vllm-operator.dev/pool': 'pool',
          'vllm-operator.dev/pool-namespace': 'platform',
          'app.kubernetes.io/component': 'engine',
        },
        ...(state === 'terminating' && { deletionTimestamp: '2026-01-05T00:00:00Z' }),
      },
      spec: { containers: [{ name: 'engine', resources: { limits: { 'nvidia.com/gpu': '1' } } }] },
      status: {
        phase: 'Running',
        ...(!(troubled && outcome === 'unschedulable') && { startTime: '2026-01-05T00:00:00Z' }),
        conditions: [
          { type: 'Ready', status: state === 'ready' ? 'True' : 'False' },
          ...(troubled && outcome === 'unschedulable'
            ? [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no accelerators' }]
            : []),
        ],
        containerStatuses: [
          {
            name: 'engine',
            ready: state === 'ready',
            restartCount: 0,
            ...(waiting && { state: { waiting } }),
          },
        ],
      },
    };
  }

  deploymentObject(model: string): Deployment {
    const { replicas = 0, version = 0, generation = 1 } = this.#deployments.get(model) ?? {};
    return {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: {
        name: engineName(model),
        namespace: this.#options.namespace(model),
        uid: `deployment-${model}`,
        resourceVersion: String(version),
        generation,
        labels: { 'vllm-operator.dev/model': model },
        ownerReferences: [
          {
            apiVersion: 'vllm-operator.dev/v1alpha1',
            kind: 'InferenceModel',
            name: model,
            uid: uidOf(model),
            controller: true,
          },
        ],
      },
      replicasOwnedByApply: false,
      spec: { replicas },
      status: { observedGeneration: generation },
    };
  }
}

/** Those that are of least use go first. */
function rank({ state, inFlight }: SimPod): number {
  return state === 'starting' ? -1 : inFlight;
}
