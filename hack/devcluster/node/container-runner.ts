import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container, ContainerState, ContainerStatus, Pod, TerminatedState } from '../kinds.ts';
import { containerEnv, expand } from './container-env.ts';
import { ContainerInstance } from './container-instance.ts';
import type { PodAddresses } from './field-ref.ts';
import type { ImageHandler } from './images/image-handler.ts';
import type { Emit, Machine } from './machine.ts';
import { pathRewriter } from './path-rewriter.ts';
import { MissingSourceError } from './pod-sources.ts';
import type { PodVolumes } from './pod-volumes.ts';
import type { ProcessSpec } from './process-group.ts';
import { TERMINATION_LOG } from './termination-message.ts';
import type { Timing } from './timing.ts';

/** kubelet's back-off for restarts and image pulls. */
const BACKOFF_SECONDS = { first: 10, limit: 300 };
/** After a container has run for this long, its next restart has the shortest back-off again. */
const BACKOFF_RESET_MS = 600_000;
/** How long ErrImagePull shows before ImagePullBackOff. */
const PULL_ERROR_SECONDS = 1;
/** A missing ConfigMap is looked up again at this interval, and at once when it appears. */
const SOURCE_RETRY_SECONDS = 2;

export interface RunnerOptions {
  /** The pod as it is now: labels and annotations may change. */
  pod: () => Pod;
  container: Container;
  restartPolicy: string;
  volumes: PodVolumes;
  machine: Machine;
  addresses: PodAddresses;
  /** The container's own directory: logs, scratch, termination message. */
  directory: string;
  emit: Emit;
  /** Its status has changed. */
  changed: () => void;
}

/** Runs one container of a pod: waits for what it needs, starts it, and starts it again as the restart policy says. */
export class ContainerRunner {
  readonly #options: RunnerOptions;
  readonly #timing: Timing;
  /** The handler that simulates the container's image. */
  readonly #handler: ImageHandler | undefined;
  readonly #stop = new AbortController();
  #sourcesChanged = Promise.withResolvers<void>();
  #instance: ContainerInstance | undefined;
  #waiting: { reason: string; message?: string } | undefined = { reason: 'ContainerCreating' };
  #terminated: TerminatedState | undefined;
  #last: TerminatedState | undefined;
  #starts = 0;
  #backoffSeconds = 0;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#timing = options.machine.timing;
    const { image = '' } = options.container;
    this.#handler = options.machine.images.find((each) => each.matches(image));
  }

  /** Resolves to the last exit when the container will not run again; to undefined when it never ran. */
  async run(): Promise<TerminatedState | undefined> {
    const { signal } = this.#stop;
    try {
      await this.#awaitImage(signal);
      while (!signal.aborted) {
        this.#instance = await this.#start(signal);
        // It was stopped while it started, when there was nothing to end yet.
        if (signal.aborted) this.#instance.kill();
        this.#waiting = undefined;
        this.#terminated = undefined;
        this.#options.changed();
        const begun = this.#timing.now().getTime();
        this.#terminated = await this.#instance.ended;
        this.#last = this.#terminated;
        this.#instance = undefined;
        this.#options.changed();
        if (!this.#restarts(this.#terminated) || signal.aborted) break;
        if (this.#timing.now().getTime() - begun > BACKOFF_RESET_MS) this.#backoffSeconds = 0;
        await this.#backOff(signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    this.#stop.abort();
    this.#options.changed();
    return this.#terminated ?? this.#last;
  }

  /** Ends the container for good. Called again, it shortens the grace period. */
  async stop(graceSeconds: number): Promise<void> {
    this.#stop.abort();
    await this.#instance?.terminate(graceSeconds, `Stopping container ${this.#options.container.name}`);
  }

  /** SIGKILL, at once and for good. */
  kill(): void {
    this.#stop.abort();
    this.#instance?.kill();
  }

  /** A ConfigMap or Secret has changed: fills the volumes of a running container again, and lets a waiting one retry. */
  async refresh(): Promise<void> {
    this.#sourcesChanged.resolve();
    this.#sourcesChanged = Promise.withResolvers();
    if (!this.#instance) return;
    try {
      await this.#fillVolumes(this.#stop.signal);
    } catch (error) {
      if (!(error instanceof MissingSourceError)) throw error;
      // What was mounted stays as it is, as under a kubelet.
      this.#options.emit('Warning', 'FailedMount', error.message);
    }
  }

  /** File with the output of the current run, or of the one before it. */
  logFile(previous: boolean): string | undefined {
    const index = previous ? this.#starts - 1 : this.#starts;
    return index > 0 ? this.#logPath(index) : undefined;
  }

  /** Resolves when the current run, which writes to the log, has ended; at once when there is none. */
  async ended(): Promise<void> {
    await this.#instance?.ended;
  }

  status(): ContainerStatus {
    const { container } = this.#options;
    const id = this.#instance?.id ?? this.#last?.containerID;
    return {
      name: container.name,
      image: container.image ?? '',
      imageID: this.#handler ? (container.image ?? '') : '',
      ...(id === undefined ? {} : { containerID: id }),
      ready: this.#instance?.ready ?? false,
      started: this.#instance?.started ?? false,
      restartCount: Math.max(0, this.#starts - 1),
      state: this.#state(),
      lastState:
        this.#last && this.#last !== this.#terminated ? { terminated: this.#last } : this.#lastOfWaiting(),
    };
  }

  #state(): ContainerState {
    if (this.#instance) return { running: { startedAt: this.#instance.startedAt } };
    if (this.#waiting) return { waiting: this.#waiting };
    if (this.#terminated) return { terminated: this.#terminated };
    return { waiting: { reason: 'ContainerCreating' } };
  }

  #lastOfWaiting(): ContainerState {
    return this.#waiting && this.#last ? { terminated: this.#last } : {};
  }

  #restarts(exit: TerminatedState): boolean {
    const { restartPolicy } = this.#options;
    return restartPolicy === 'Always' || (restartPolicy === 'OnFailure' && exit.exitCode !== 0);
  }

  #wait(reason: string, message?: string): void {
    if (this.#waiting?.reason === reason && this.#waiting.message === message) return;
    this.#waiting = { reason, ...(message === undefined ? {} : { message }) };
    this.#options.changed();
  }

  /** The first restart is at once; the ones after it wait longer and longer. */
  async #backOff(signal: AbortSignal): Promise<void> {
    const seconds = this.#backoffSeconds;
    this.#backoffSeconds = Math.min(
      seconds === 0 ? BACKOFF_SECONDS.first : seconds * 2,
      BACKOFF_SECONDS.limit,
    );
    if (seconds === 0) return;
    const { container, emit } = this.#options;
    const { name, namespace, uid } = this.#options.pod().metadata;
    const message = `back-off ${seconds}s restarting failed container=${container.name} pod=${name}_${namespace}(${uid})`;
    this.#wait('CrashLoopBackOff', message);
    emit('Warning', 'BackOff', message);
    await this.#timing.sleep(seconds, signal);
  }

  /** An image without a handler is never found. It is tried again with back-off, as by a kubelet. */
  async #awaitImage(signal: AbortSignal): Promise<void> {
    const { container, emit } = this.#options;
    if (this.#handler) return;
    const problem = `failed to pull and unpack image "${container.image}": not found`;
    for (let seconds = BACKOFF_SECONDS.first; ; seconds = Math.min(seconds * 2, BACKOFF_SECONDS.limit)) {
      emit('Normal', 'Pulling', `Pulling image "${container.image}"`);
      emit('Warning', 'Failed', `Failed to pull image "${container.image}": ${problem}`);
      this.#wait('ErrImagePull', problem);
      await this.#timing.sleep(PULL_ERROR_SECONDS, signal);
      const message = `Back-off pulling image "${container.image}": ErrImagePull: ${problem}`;
      emit('Normal', 'BackOff', `Back-off pulling image "${container.image}"`);
      this.#wait('ImagePullBackOff', message);
      await this.#timing.sleep(seconds, signal);
    }
  }

  async #start(signal: AbortSignal): Promise<ContainerInstance> {
    const { container, directory, addresses, machine, emit, changed } = this.#options;
    await mkdir(join(directory, 'tmp'), { recursive: true });
    await rm(join(directory, TERMINATION_LOG), { force: true });
    await this.#whenPresent('FailedMount', 'ContainerCreating', signal, () => this.#fillVolumes(signal));
    const process = await this.#whenPresent('Failed', 'CreateContainerConfigError', signal, () =>
      this.#process(signal),
    );
    signal.throwIfAborted();
    emit('Normal', 'Pulled', `Container image "${container.image}" already present on machine`);
    this.#starts++;
    if (this.#starts > 2) await rm(this.#logPath(this.#starts - 2), { force: true });
    const instance = new ContainerInstance({
      container,
      process,
      podIp: addresses.podIp,
      logFile: this.#logPath(this.#starts),
      directory,
      machine,
      graceSeconds: this.#options.pod().spec.terminationGracePeriodSeconds ?? 30,
      rewrite: this.#rewriter(),
      emit,
      changed,
    });
    emit('Normal', 'Started', `Started container ${container.name}`);
    return instance;
  }

  /** Repeats a step until it succeeds, mostly until what it needs exists, and shows meanwhile what is missing. */
  async #whenPresent<T>(
    event: string,
    reason: string,
    signal: AbortSignal,
    step: () => Promise<T>,
  ): Promise<T> {
    while (true) {
      const changed = this.#sourcesChanged.promise;
      try {
        return await step();
      } catch (error) {
        signal.throwIfAborted();
        const message = error instanceof Error ? error.message : String(error);
        this.#options.emit('Warning', event, event === 'Failed' ? `Error: ${message}` : message);
        this.#wait(reason, reason === 'ContainerCreating' ? undefined : message);
        await Promise.race([changed, this.#timing.sleep(SOURCE_RETRY_SECONDS, signal)]);
        signal.throwIfAborted();
      }
    }
  }

  async #process(signal: AbortSignal): Promise<ProcessSpec> {
    const { container, machine, addresses, directory } = this.#options;
    const pod = this.#options.pod();
    const { sources } = machine;
    const scratch = join(directory, 'tmp');
    const base = { ...machine.baseEnv, HOSTNAME: pod.metadata.name, HOME: scratch, TMPDIR: scratch };
    const env = await containerEnv(container, { pod, addresses, sources, base, signal });
    const rewrite = this.#rewriter();
    const words = (list: string[] | undefined): string[] | undefined =>
      list?.map((word) => rewrite(expand(word, env)));
    if (!this.#handler) throw new Error(`no handler for image ${container.image}`);
    return this.#handler.launch({
      container,
      podIp: addresses.podIp,
      env: Object.fromEntries(
        Object.entries(env).map(([name, value]) => [name, name in base ? value : rewrite(value)]),
      ),
      command: words(container.command),
      args: words(container.args),
      directory: scratch,
    });
  }

  #rewriter(): (text: string) => string {
    const { container, directory } = this.#options;
    const message = container.terminationMessagePath ?? '/dev/termination-log';
    return pathRewriter([
      ...this.#options.volumes.mappings(this.#options.pod(), container),
      { from: message, to: join(directory, TERMINATION_LOG) },
    ]);
  }

  async #fillVolumes(signal: AbortSignal): Promise<void> {
    const { container, addresses, volumes } = this.#options;
    const rewrite = this.#rewriter();
    const context = { podIp: addresses.podIp, rewrite };
    const rewriteFile = this.#handler?.rewriteFile?.bind(this.#handler);
    await volumes.fill(
      this.#options.pod(),
      container,
      rewriteFile ? (path, content) => rewriteFile(path, content, context) : undefined,
      signal,
    );
  }

  #logPath(start: number): string {
    return join(this.#options.directory, `${start}.log`);
  }
}

/** Status of a container that has not started, because init containers run before it. */
export function creating(container: Container): ContainerStatus {
  return {
    name: container.name,
    image: container.image ?? '',
    imageID: '',
    ready: false,
    started: false,
    restartCount: 0,
    state: { waiting: { reason: 'PodInitializing' } },
    lastState: {},
  };
}
