import { randomUUID } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container, TerminatedState } from '../kinds.ts';
import { type HandlerTarget, runHandler } from './lifecycle-handler.ts';
import type { Emit, Machine } from './machine.ts';
import { runProber } from './prober.ts';
import { type ProcessExit, ProcessGroup, type ProcessSpec } from './process-group.ts';
import { terminationMessage } from './termination-message.ts';
import { apiTime } from './timing.ts';

/** A process gets at least this long between SIGTERM and SIGKILL when a preStop hook used up the grace period (kubelet). */
const MINIMUM_GRACE_SECONDS = 2;
/** No message of an exec probe is longer. */
const EXEC_OUTPUT_BYTES = 1024;

export interface InstanceOptions {
  container: Container;
  process: ProcessSpec;
  podIp: string;
  logFile: string;
  /** Directory of the termination message and the output of exec handlers. */
  directory: string;
  machine: Machine;
  /** Grace period of the pod, for a container that fails its liveness probe. */
  graceSeconds: number;
  /** Rewrites the container's paths in the commands of exec handlers. */
  rewrite: (text: string) => string;
  emit: Emit;
  /** `ready` or `started` has changed. */
  changed: () => void;
}

/** One run of a container: its process, hooks and probes, from start to exit. */
export class ContainerInstance {
  readonly id = `devcluster://${randomUUID().replaceAll('-', '')}`;
  readonly startedAt: string;
  /** Resolves when the process has exited. Never rejects. */
  readonly ended: Promise<TerminatedState>;
  readonly #options: InstanceOptions;
  readonly #process: ProcessGroup;
  readonly #exit = new AbortController();
  readonly #stopping = new AbortController();
  readonly #kill = new AbortController();
  #killTimer: NodeJS.Timeout | undefined;
  #started = false;
  #healthy = false;

  constructor(options: InstanceOptions) {
    this.#options = options;
    this.startedAt = apiTime(options.machine.timing.now());
    const output = openSync(options.logFile, 'a');
    try {
      this.#process = new ProcessGroup(options.process, output, options.machine.watchdog);
    } finally {
      closeSync(output);
    }
    this.ended = this.#process.exited.then((exit) => this.#finish(exit));
    void this.#supervise();
  }

  /** Passed its startup probe. */
  get started(): boolean {
    return this.#started && !this.#exit.signal.aborted;
  }

  /** Whether it passed its startup and readiness probes. Remains true while it terminates, until a probe fails or it exits. */
  get ready(): boolean {
    return this.started && this.#healthy;
  }

  /**
   * preStop hook, SIGTERM, and SIGKILL when the grace period is over. Called again, it only shortens the period.
   * @param message for the Killing event
   */
  async terminate(graceSeconds: number, message: string): Promise<void> {
    const { container, machine, emit } = this.#options;
    const { timing } = machine;
    const begun = timing.now().getTime();
    this.#killAfter(graceSeconds, MINIMUM_GRACE_SECONDS);
    if (this.#stopping.signal.aborted || this.#exit.signal.aborted) return;
    this.#stopping.abort();
    emit('Normal', 'Killing', message);

    const preStop = container.lifecycle?.preStop;
    if (preStop && graceSeconds > 0) {
      const until = AbortSignal.any([
        this.#exit.signal,
        this.#kill.signal,
        AbortSignal.timeout(graceSeconds * 1000),
      ]);
      await this.#runHook('PreStopHook', preStop, until);
    }
    if (!this.#kill.signal.aborted) {
      this.#process.terminate();
      const left = graceSeconds - (timing.now().getTime() - begun) / 1000;
      this.#killAfter(Math.max(graceSeconds > 0 ? MINIMUM_GRACE_SECONDS : 0, left), 0);
    }
    await this.ended;
  }

  /** SIGKILL to the whole process group, at once. */
  kill(): void {
    this.#stopping.abort();
    this.#kill.abort();
    this.#process.kill();
  }

  #killAfter(seconds: number, slackSeconds: number): void {
    clearTimeout(this.#killTimer);
    if (seconds <= 0) {
      this.kill();
      return;
    }
    this.#killTimer = setTimeout(() => this.kill(), (seconds + slackSeconds) * 1000);
    if (this.#exit.signal.aborted) clearTimeout(this.#killTimer);
  }

  async #supervise(): Promise<void> {
    const { container } = this.#options;
    const alive = AbortSignal.any([this.#exit.signal, this.#stopping.signal]);
    const postStart = container.lifecycle?.postStart;
    if (postStart && !(await this.#runHook('PostStartHook', postStart, alive))) {
      await this.#restart('FailedPostStartHook');
      return;
    }
    if (this.#exit.signal.aborted || !this.#process.pid) return;
    if (container.startupProbe && !(await this.#startup(alive))) return;
    this.#started = true;
    this.#healthy = container.readinessProbe === undefined;
    this.#options.changed();
    const common = {
      target: this.#target(),
      timing: this.#options.machine.timing,
      onFailure: this.#unhealthy,
    };
    const probers: Promise<void>[] = [];
    if (container.readinessProbe) {
      const onResult = (healthy: boolean): void => {
        this.#healthy = healthy;
        this.#options.changed();
      };
      const options = { ...common, kind: 'Readiness', probe: container.readinessProbe, onResult } as const;
      // Readiness is still reported while the container terminates, because it determines `serving` in EndpointSlices.
      probers.push(runProber(options, this.#exit.signal));
    }
    if (container.livenessProbe) {
      const probe = container.livenessProbe;
      const onResult = (healthy: boolean): void => {
        if (!healthy) void this.#restart('failed liveness probe', probe.terminationGracePeriodSeconds);
      };
      probers.push(runProber({ ...common, kind: 'Liveness', probe, onResult }, alive));
    }
    await Promise.all(probers);
  }

  /** True once the startup probe has passed; false when the container is being stopped first. */
  async #startup(alive: AbortSignal): Promise<boolean> {
    const probe = this.#options.container.startupProbe ?? {};
    const done = new AbortController();
    let passed = false;
    const onResult = (healthy: boolean): void => {
      passed = healthy;
      done.abort();
      if (!healthy) void this.#restart('failed startup probe', probe.terminationGracePeriodSeconds);
    };
    const { timing } = this.#options.machine;
    await runProber(
      { kind: 'Startup', probe, target: this.#target(), timing, onFailure: this.#unhealthy, onResult },
      AbortSignal.any([alive, done.signal]),
    );
    return passed && !alive.aborted;
  }

  async #restart(why: string, graceSeconds = this.#options.graceSeconds): Promise<void> {
    await this.terminate(graceSeconds, `Container ${this.#options.container.name} ${why}, will be restarted`);
  }

  readonly #unhealthy = (message: string): void => {
    if (!this.#stopping.signal.aborted) this.#options.emit('Warning', 'Unhealthy', message);
  };

  async #runHook(
    name: string,
    hook: NonNullable<Container['lifecycle']>['preStop'],
    until: AbortSignal,
  ): Promise<boolean> {
    if (hook?.sleep) {
      await this.#options.machine.timing.sleep(hook.sleep.seconds, until).catch(() => undefined);
      return true;
    }
    const result = await runHandler(hook ?? {}, this.#target(), until);
    if (!result.ok) this.#options.emit('Warning', `Failed${name}`, `${name} failed: ${result.message}`);
    return result.ok;
  }

  #target(): HandlerTarget {
    const { podIp, container } = this.#options;
    return { podIp, container, exec: (command, signal) => this.#exec(command, signal) };
  }

  async #exec(command: string[], signal: AbortSignal): Promise<{ exitCode: number; output: string }> {
    const { process: main, directory, rewrite, machine } = this.#options;
    const file = join(directory, `exec-${randomUUID().slice(0, 8)}`);
    const [program = '', ...args] = command.map(rewrite);
    const output = openSync(file, 'a');
    let group: ProcessGroup;
    try {
      group = new ProcessGroup(
        { command: program, args, env: main.env, cwd: main.cwd },
        output,
        machine.watchdog,
      );
    } finally {
      closeSync(output);
    }
    const kill = (): void => group.kill();
    signal.addEventListener('abort', kill, { once: true });
    try {
      const { exitCode, startError } = await group.exited;
      signal.throwIfAborted();
      if (startError) throw startError;
      return { exitCode, output: (await readFile(file, 'utf8')).slice(0, EXEC_OUTPUT_BYTES) };
    } finally {
      signal.removeEventListener('abort', kill);
      await rm(file, { force: true });
    }
  }

  async #finish(exit: ProcessExit): Promise<TerminatedState> {
    this.#exit.abort();
    clearTimeout(this.#killTimer);
    const { container, directory, logFile, machine } = this.#options;
    const message =
      exit.startError?.message ?? (await terminationMessage(container, directory, logFile, exit.exitCode));
    return {
      exitCode: exit.startError ? 128 : exit.exitCode,
      reason: exit.startError ? 'StartError' : exit.exitCode === 0 ? 'Completed' : 'Error',
      ...(message ? { message } : {}),
      startedAt: this.startedAt,
      finishedAt: apiTime(machine.timing.now()),
      containerID: this.id,
    };
  }
}
