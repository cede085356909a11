/** Where in its cycle each model is, by what a watch shows. */
import { type Deployment, isReady, type Pod } from '../../../operator/controllers/shared/workloads.ts';
import { silentLogger } from '../../../operator/kube/logger.ts';
import type { KubeObject, ResourceType } from '../../../operator/kube/object.ts';
import { Reflector } from '../../../operator/kube/reflector.ts';
import { DEPLOYMENTS, PODS } from '../../../operator/kube/resource-types.ts';
import type { World } from '../../e2e/support/world.ts';

/** `stopping`: no replicas, but pods that still terminate. */
export type Phase = 'asleep' | 'starting' | 'serving' | 'stopping';

const MODEL_LABEL = 'vllm-operator.dev/model';

interface Observed {
  replicas: number;
  pods: Map<string, boolean>;
}

export class Phases {
  readonly #models = new Map<string, Observed>();
  readonly #waiting = new Set<() => void>();
  readonly #end = new AbortController();
  readonly #running: Promise<void>[] = [];
  /** How often replicas went to zero. */
  sleeps = 0;

  /** Watches the engines of one namespace until `close`. */
  static async open(world: World, namespace: string): Promise<Phases> {
    const phases = new Phases();
    await Promise.all([
      phases.#watch<Deployment>(world, namespace, DEPLOYMENTS, (model, _, now) => {
        const replicas = now?.spec.replicas ?? 0;
        if (replicas === 0 && model.replicas > 0) phases.sleeps += 1;
        model.replicas = replicas;
      }),
      phases.#watch<Pod>(world, namespace, PODS, (model, name, now) => {
        if (now) model.pods.set(name, isReady(now));
        else model.pods.delete(name);
      }),
    ]);
    return phases;
  }

  async #watch<T extends KubeObject>(
    world: World,
    namespace: string,
    type: ResourceType,
    note: (model: Observed, name: string, now: T | undefined) => void,
  ): Promise<void> {
    const reflector = new Reflector<T>({
      client: world.client,
      type,
      namespace,
      labelSelector: 'app.kubernetes.io/component=engine',
      log: silentLogger,
    });
    reflector.store.subscribe(({ old, new: now }) => {
      const { name, labels } = (now ?? old)?.metadata ?? { name: '' };
      note(this.#observed(labels?.[MODEL_LABEL] ?? ''), name, now);
      for (const look of this.#waiting) look();
    });
    this.#running.push(reflector.run(this.#end.signal));
    await reflector.waitForSync(this.#end.signal);
  }

  #observed(model: string): Observed {
    const known = this.#models.get(model) ?? { replicas: 0, pods: new Map() };
    this.#models.set(model, known);
    return known;
  }

  of(model: string): Phase {
    const { replicas, pods } = this.#observed(model);
    if (replicas === 0) return pods.size > 0 ? 'stopping' : 'asleep';
    return [...pods.values()].some(Boolean) ? 'serving' : 'starting';
  }

  /** Resolves at the moment the model enters the phase, or is in it; false when the signal aborts first. */
  async until(model: string, phase: Phase, signal: AbortSignal): Promise<boolean> {
    if (this.of(model) === phase) return true;
    if (signal.aborted) return false;
    return await new Promise<boolean>((resolve) => {
      const done = (reached: boolean) => {
        signal.removeEventListener('abort', stop);
        this.#waiting.delete(look);
        resolve(reached);
      };
      const look = () => {
        if (this.of(model) === phase) done(true);
      };
      const stop = () => done(false);
      signal.addEventListener('abort', stop);
      this.#waiting.add(look);
    });
  }

  async close(): Promise<void> {
    this.#end.abort();
    await Promise.all(this.#running);
  }
}
