/** Kubernetes Events, as shown by `kubectl describe`. */
import { createHash } from 'node:crypto';
import type { KubeClient } from './client.ts';
import { type Clock, microTime, systemClock } from './clock.ts';
import { isNamespaceGone } from './errors.ts';
import { type Logger, silentLogger } from './logger.ts';
import type { KubeObject } from './object.ts';
import { EVENTS } from './resource-types.ts';
import { SweptMap } from './swept-map.ts';
import { TokenBucket } from './token-bucket.ts';
import { Turns } from './turns.ts';
import { withoutTrailing } from './without-trailing.ts';

export interface EventInput {
  type: 'Normal' | 'Warning';
  /** CamelCase, stable. */
  reason: string;
  /** The action, such as `Scale`. */
  action: string;
  /** What changed and to which value, for users. Text above 1 kB is truncated. */
  note: string;
  related?: KubeObject;
}

export interface EventRecorderOptions {
  client: KubeClient;
  /** `reportingController`, such as `example.com/operator`. */
  controller: string;
  /** `reportingInstance`: the pod. */
  instance: string;
  log?: Logger;
  clock?: Clock;
}

interface PendingEvent {
  regarding: KubeObject;
  input: EventInput;
  at: number;
}

/** An identical event within this time is dropped (like Karpenter's recorder). */
const REPEAT_MS = 120_000;

/**
 * Burst of events per object and reason (client-go's spam filter), and the interval after that. A model may sleep and wake
 * every few minutes. By reason, because a team can cause any number of some events about an object of somebody else.
 */
const PER_REASON = { capacity: 25, refillMs: 60_000 };

/** Most events that may be pending; more are dropped (client-go's queue length). */
const MAX_PENDING = 1_000;

/** Most of them about objects of one namespace. Each namespace has at most as many as are free, so there is room for others. */
const MAX_PENDING_OF_NAMESPACE = 250;

const MAX_NOTE = 1_024;

/** Records events without blocking the caller. `run` sends them. */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #log: Logger;
  readonly #clock: Clock;
  /** By namespace, so that a flood in one does not delay those of others. */
  readonly #pending = new Turns<PendingEvent>();
  #pendingCount = 0;
  readonly #sentAt = new SweptMap<number>();
  readonly #buckets = new SweptMap<TokenBucket>();
  #sequence = 0;
  #wake: (() => void) | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.#clock = options.clock ?? systemClock;
  }

  /** For log messages. */
  get name(): string {
    return 'events';
  }

  /** Queues an event unless it is repeated or exceeds the rate limit. */
  emit(regarding: KubeObject, input: EventInput): void {
    const now = this.#clock.monotonic();
    if (this.#isRepeat(regarding, input, now) || !this.#hasBudget(regarding, input.reason, now)) {
      return;
    }
    const { namespace = '' } = regarding.metadata;
    const room = Math.min(MAX_PENDING_OF_NAMESPACE, MAX_PENDING - this.#pendingCount);
    if (this.#pending.sizeOf(namespace) >= room) {
      this.#log.debug({ reason: input.reason }, 'event dropped, too many are pending');
      return;
    }
    this.#pending.push(namespace, { regarding, input, at: this.#clock.now() });
    this.#pendingCount += 1;
    this.#wake?.();
  }

  /** Sends events until the signal aborts, then sends the pending ones as long as none fails. */
  async run(signal: AbortSignal): Promise<void> {
    const onAbort = () => this.#wake?.();
    signal.addEventListener('abort', onAbort, { once: true });
    for (;;) {
      const next = this.#pending.shift();
      if (next !== undefined) {
        this.#pendingCount -= 1;
        const sent = await this.#send(next);
        if (!sent && signal.aborted) {
          return;
        }
      } else if (signal.aborted) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  #isRepeat(regarding: KubeObject, input: EventInput, now: number): boolean {
    const parts = [
      regarding.metadata.uid ?? regarding.metadata.name,
      input.type,
      input.reason,
      input.action,
      input.note,
      input.related?.metadata.uid ?? '',
    ];
    const id = createHash('sha256').update(JSON.stringify(parts)).digest('base64');
    const last = this.#sentAt.get(id);
    if (last !== undefined && now - last < REPEAT_MS) {
      return true;
    }
    this.#sentAt.add(id, now, (at) => now - at >= REPEAT_MS);
    return false;
  }

  #hasBudget(regarding: KubeObject, reason: string, now: number): boolean {
    const id = `${regarding.metadata.uid ?? regarding.metadata.name}/${reason}`;
    const known = this.#buckets.get(id);
    if (known) return known.take(now);
    const bucket = new TokenBucket({ ...PER_REASON, now });
    const taken = bucket.take(now);
    this.#buckets.add(id, bucket, (other) => other.isFull(now));
    return taken;
  }

  /** A failed event is only logged. The transport has already retried it. */
  async #send(event: PendingEvent): Promise<boolean> {
    try {
      await this.#options.client.create(EVENTS, this.#object(event));
      return true;
    } catch (error) {
      // Events are deleted with their namespace.
      if (!isNamespaceGone(error))
        this.#log.warn({ err: error, reason: event.input.reason }, 'cannot write event');
      return false;
    }
  }

  #object({ regarding, input, at }: PendingEvent): KubeObject & Record<string, unknown> {
    const { name, namespace } = regarding.metadata;
    const suffix = createHash('sha256')
      .update(`${this.#options.instance}/${at}/${this.#sequence++}`)
      .digest('hex')
      .slice(0, 16);
    return {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: `${name.slice(0, 236)}.${suffix}`, namespace: namespace ?? 'default' },
      eventTime: microTime(at),
      reportingController: this.#options.controller,
      reportingInstance: this.#options.instance.slice(0, 128),
      type: input.type,
      reason: input.reason,
      action: input.action,
      note: cut(input.note),
      regarding: reference(regarding),
      ...(input.related ? { related: reference(input.related) } : {}),
    };
  }
}

function reference(object: KubeObject): Record<string, string | undefined> {
  const { name, namespace, uid, resourceVersion } = object.metadata;
  return { apiVersion: object.apiVersion, kind: object.kind, name, namespace, uid, resourceVersion };
}

/** The limit is in bytes. */
function cut(note: string): string {
  const bytes = Buffer.from(note);
  return bytes.length <= MAX_NOTE
    ? note
    : `${withoutTrailing(new TextDecoder().decode(bytes.subarray(0, MAX_NOTE - 8)), '\uFFFD')}…`;
}
