/** Logs when one router fails and when it responds again. */
import type { Clock } from '../kube/clock.ts';
import type { Logger } from '../kube/logger.ts';
import type { RouterAdminError } from './router-admin-error.ts';
import type { RouterEndpoint } from './router-endpoints.ts';

/** How long a pod may take to start, with its image. After that, the first response is overdue. */
const START_MS = 60_000;

const MESSAGES = { push: 'cannot send routes', poll: 'router does not respond' } as const;

/** Sending routes, or asking for the demand. */
export type RouterOperation = keyof typeof MESSAGES;

/**
 * Logs each failure of an operation once until its code changes. It is a warning, unless the pod is still starting or
 * already stopping: that is part of every rollout.
 */
export class FailureLog {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #since: number;
  #hasResponded = false;
  /** By operation: the failure that was logged last. */
  readonly #logged = new Map<RouterOperation, string>();
  /** Whether any failure since the last response was a warning. */
  #hasWarned = false;

  constructor(options: { clock: Clock; log: Logger }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#since = options.clock.monotonic();
  }

  /** An operation has failed at the router. */
  failed(
    operation: RouterOperation,
    { name, ...pod }: RouterEndpoint,
    { code, message }: RouterAdminError,
  ): void {
    const isNoConnection = code === 'Unreachable' || code === 'Timeout';
    const level = isNoConnection && this.#isExpected(pod) ? 'debug' : 'warn';
    if (this.#logged.get(operation) === `${level} ${code}`) return;
    this.#logged.set(operation, `${level} ${code}`);
    if (level === 'warn') this.#hasWarned = true;
    this.#log[level]({ router: name, code, error: message }, MESSAGES[operation]);
  }

  /** An operation has succeeded. */
  succeeded(operation: RouterOperation, { name }: RouterEndpoint): void {
    this.#hasResponded = true;
    this.#logged.delete(operation);
    if (!this.#hasWarned || this.#logged.size > 0) return;
    this.#hasWarned = false;
    this.#log.info({ router: name }, 'router responds again');
  }

  #isExpected({ ready, stopping }: Pick<RouterEndpoint, 'ready' | 'stopping'>): boolean {
    const isStarting = !this.#hasResponded && !ready && this.#clock.monotonic() - this.#since < START_MS;
    return isStarting || stopping;
  }
}
