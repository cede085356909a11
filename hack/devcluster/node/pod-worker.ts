import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container, ContainerStatus, Pod, PodStatus } from '../kinds.ts';
import { ContainerRunner, creating } from './container-runner.ts';
import type { Machine } from './machine.ts';
import { podStatus } from './pod-status.ts';
import { PodVolumes } from './pod-volumes.ts';
import { apiTime } from './timing.ts';

export interface PodWorkerOptions {
  machine: Machine;
  pod: Pod;
  addresses: { podIp: string; hostIp: string };
  /** The pod's own directory. */
  directory: string;
  claims: string;
  emit: (pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string) => void;
  /** The pod's status has changed. */
  changed: () => void;
}

/** Runs one pod on this machine: init containers in order, then all containers; ends them in the kubelet's way. */
export class PodWorker {
  readonly addresses: { podIp: string; hostIp: string };
  readonly #options: PodWorkerOptions;
  readonly #volumes: PodVolumes;
  readonly #init: Map<string, ContainerRunner>;
  readonly #main: Map<string, ContainerRunner>;
  readonly #startTime: string;
  readonly #sidecars: Promise<unknown>[] = [];
  #pod: Pod;
  #mainStarted = false;
  #stopped = false;
  #status: PodStatus | undefined;
  #done: Promise<void>;

  constructor(options: PodWorkerOptions) {
    this.#options = options;
    this.#pod = options.pod;
    this.addresses = options.addresses;
    this.#startTime = apiTime(options.machine.timing.now());
    this.#volumes = new PodVolumes({
      directory: join(options.directory, 'v'),
      claims: options.claims,
      sources: options.machine.sources,
      addresses: options.addresses,
    });
    const { restartPolicy = 'Always', containers, initContainers = [] } = options.pod.spec;
    // An init container runs until it succeeds, unless the pod never restarts; one that restarts always is a sidecar.
    const initPolicy = restartPolicy === 'Never' ? 'Never' : 'OnFailure';
    this.#init = new Map(initContainers.map((c) => [c.name, this.#runner(c, c.restartPolicy ?? initPolicy)]));
    this.#main = new Map(containers.map((c) => [c.name, this.#runner(c, c.restartPolicy ?? restartPolicy)]));
    this.#done = this.#run();
  }

  get pod(): Pod {
    return this.#pod;
  }

  /** The pod as the API server has it now. */
  update(pod: Pod): void {
    this.#pod = pod;
  }

  /** Resolves when no container will run again. Rejects when the node agent itself fails to run a container. */
  get done(): Promise<void> {
    return this.#done;
  }

  /** Ends all containers within the grace period; sidecars after the others. Called again, it shortens the period. */
  async terminate(graceSeconds: number): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#main.values()].map((runner) => runner.stop(graceSeconds)));
    await Promise.all([...this.#init.values()].map((runner) => runner.stop(graceSeconds)));
    await this.#ended();
  }

  /** Ends all containers at once. */
  async kill(): Promise<void> {
    this.#stopped = true;
    for (const runner of this.#runners()) runner.kill();
    await this.#ended();
  }

  /** Like {@link PodWorker.done}, which reports the failure. */
  async #ended(): Promise<void> {
    await this.#done.catch(() => undefined);
  }

  /** Removes the pod's files. */
  async clean(): Promise<void> {
    await rm(this.#options.directory, { recursive: true, force: true, maxRetries: 3 });
  }

  /** A ConfigMap or Secret that the pod may refer to has changed. */
  async refresh(): Promise<void> {
    await Promise.all(this.#runners().map((runner) => runner.refresh()));
  }

  runner(container: string): ContainerRunner | undefined {
    return this.#main.get(container) ?? this.#init.get(container);
  }

  status(): PodStatus {
    this.#status = podStatus({
      pod: this.#pod,
      init: (this.#pod.spec.initContainers ?? []).flatMap((c) => this.#init.get(c.name)?.status() ?? []),
      containers: this.#pod.spec.containers.map((c) => this.#mainStatus(c)),
      addresses: this.addresses,
      startTime: this.#startTime,
      previous: this.#status,
      now: this.#options.machine.timing.now(),
    });
    return this.#status;
  }

  #mainStatus(container: Container): ContainerStatus {
    const runner = this.#main.get(container.name);
    return runner && (this.#mainStarted || this.#init.size === 0) ? runner.status() : creating(container);
  }

  #runners(): ContainerRunner[] {
    return [...this.#main.values(), ...this.#init.values()];
  }

  async #run(): Promise<void> {
    await mkdir(this.#options.directory, { recursive: true });
    for (const container of this.#pod.spec.initContainers ?? []) {
      const runner = this.#init.get(container.name);
      if (!runner || this.#stopped) break;
      const ended = runner.run();
      if (container.restartPolicy === 'Always') {
        this.#sidecars.push(ended);
        continue;
      }
      const exit = await ended;
      if (this.#stopped || exit?.exitCode !== 0) break;
    }
    const initialised = (this.#pod.spec.initContainers ?? []).every(
      (c) =>
        c.restartPolicy === 'Always' || this.#init.get(c.name)?.status().state.terminated?.exitCode === 0,
    );
    if (initialised && !this.#stopped) {
      this.#mainStarted = true;
      await Promise.all([...this.#main.values()].map((runner) => runner.run()));
    }
    // Sidecars live as long as the containers that they serve.
    for (const runner of this.#init.values())
      void runner.stop(this.#pod.spec.terminationGracePeriodSeconds ?? 30);
    await Promise.all(this.#sidecars);
  }

  #runner(container: Container, restartPolicy: string): ContainerRunner {
    const { machine, addresses, directory, emit, changed } = this.#options;
    return new ContainerRunner({
      pod: () => this.#pod,
      container,
      restartPolicy,
      volumes: this.#volumes,
      machine,
      addresses,
      directory: join(directory, container.name),
      emit: (type, reason, message) => emit(this.#pod, type, reason, message),
      changed,
    });
  }
}
