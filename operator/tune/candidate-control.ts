/** Creates, watches and removes the candidate of a model: at most one, and never an object that somebody else created. */
import { INFERENCE_MODELS, type InferenceModel } from '../api/types.ts';
import type { KubeClient } from '../kube/client.ts';
import { type Clock, secondTime, sleep } from '../kube/clock.ts';
import { isKubeError } from '../kube/errors.ts';
import type { ObjectKey } from '../kube/object.ts';
import { isOwnedBy } from '../kube/owner-reference.ts';
import { PODS } from '../kube/resource-types.ts';
import { CANDIDATE_LABEL, candidateName, candidateOf, IN_USE_UNTIL } from './candidate.ts';
import { type CandidateState, candidateState } from './candidate-state.ts';
import { type Failure, ProfileFailedError } from './failure.ts';
import type { Settings } from './profiles.ts';
import { TuneStoppedError } from './tune-stopped-error.ts';

export interface CandidateControlOptions {
  client: Pick<KubeClient, 'create' | 'get' | 'list' | 'patch' | 'delete'>;
  /** The model that is tuned, as the server returned it. */
  model: InferenceModel;
  /** How long an engine may take to start. */
  readyTimeoutMs: number;
  /** Sends the request that wakes the candidate. Resolves once it was answered or refused. */
  wake: (name: string, signal: AbortSignal) => Promise<void>;
  clock: Clock;
  say: (line: string) => void;
}

const POLL_MS = 1_000;
/** The same state is reported again after this time. */
const REPEAT_MS = 30_000;
/** An engine that ended says why within this time. */
const EXPLAIN_MS = 15_000;
/** How long the API server may be away. */
const OUTAGE_MS = 120_000;
/** How long engines of the last profile may take to terminate, and the pool to notice. */
const RELEASE_MS = 300_000;
/** A candidate is a leftover this long after its command was killed. It is renewed in half of that time. */
const LEASE_MS = 120_000;
/** Refusals that end once the accelerators and names of the previous candidate are free. */
const TRANSIENT: ReadonlySet<string> = new Set(['QuotaExceeded', 'ServedNameConflict']);
const TRANSIENT_MS = 20_000;
/** Reason of a model whose accelerators another one has. */
const QUEUED = 'WaitingForAccelerators';

export class CandidateControl {
  readonly #options: CandidateControlOptions;
  readonly #key: ObjectKey & { namespace: string };
  /** When the present candidate became ready, as the API states it. */
  #readySince = '';
  #renewAtMs = 0;

  constructor(options: CandidateControlOptions) {
    const { namespace = '', name } = options.model.metadata;
    this.#options = options;
    this.#key = { namespace, name: candidateName(name) };
  }

  /** The name of the candidate, also in the OpenAI API. */
  get name(): string {
    return this.#key.name;
  }

  /**
   * Removes what a killed command left behind.
   * @throws TuneStoppedError if another command is at work, or another object has the name.
   */
  async clear(signal: AbortSignal): Promise<void> {
    const found = await this.#find(signal);
    if (!found) return;
    const { namespace, name } = this.#key;
    const until = Date.parse(found.metadata.annotations?.[IN_USE_UNTIL] ?? '');
    if (until > this.#options.clock.now())
      throw new TuneStoppedError(
        `InferenceModel ${namespace}/${name} is in use until ${secondTime(until)} by another run of this command; wait for it, or if it was killed: kubectl delete vmodel -n ${namespace} ${name}`,
      );
    this.#options.say(`Removing ${namespace}/${name}, which an earlier run left behind`);
    await this.remove(signal);
  }

  /**
   * Creates the candidate, and waits until it is ready. Returns how many seconds that took.
   * @throws ProfileFailedError if it does not start, TuneStoppedError if no other profile would start either.
   */
  async start(settings: Settings, signal: AbortSignal): Promise<number> {
    const { client, model, clock, readyTimeoutMs } = this.#options;
    const object = candidateOf(model, {
      settings,
      until: clock.now() + LEASE_MS,
      wakeTimeout: `${Math.ceil(readyTimeoutMs / 1000)}s`,
    });
    await this.#checkModel(signal);
    try {
      await client.create(INFERENCE_MODELS, object, { signal });
    } catch (error) {
      if (!isKubeError(error, 'Invalid')) throw error;
      throw new ProfileFailedError({ kind: 'refused', reason: error.code, message: error.message });
    }
    const startMs = clock.monotonic();
    this.#renewAtMs = startMs + LEASE_MS / 2;
    await this.#waitUntilReady(startMs, signal);
    return (clock.monotonic() - startMs) / 1000;
  }

  /**
   * Does work while the candidate has to stay ready. The work is aborted when it does not.
   * @throws ProfileFailedError with what the operator says about the engine.
   */
  async during<T extends object>(
    rate: number,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const over = new AbortController();
    const stop = new AbortController();
    const watching = this.#untilFailed(rate, AbortSignal.any([signal, over.signal]));
    watching.then(
      () => stop.abort(),
      () => undefined,
    );
    try {
      const result = await work(AbortSignal.any([signal, stop.signal])).catch((error: unknown) => {
        if (signal.aborted || !stop.signal.aborted) throw error;
        return undefined;
      });
      const failure = stop.signal.aborted ? await watching : await this.#explain(rate, signal);
      if (failure || result === undefined) throw new ProfileFailedError(failure ?? removed());
      return result;
    } finally {
      over.abort();
      await watching.catch(() => undefined);
    }
  }

  /** Deletes the candidate, and waits until its engine has terminated and freed its accelerators. */
  async remove(signal: AbortSignal): Promise<void> {
    const { client, clock } = this.#options;
    const selector = (await this.delete(signal))?.status?.selector;
    const endMs = clock.monotonic() + RELEASE_MS;
    const { namespace } = this.#key;
    const isLeft = async (): Promise<boolean> => {
      if (await this.#get(signal)) return true;
      if (selector === undefined || selector === '') return false;
      try {
        const pods = { namespace, labelSelector: selector, metadataOnly: true, atMost: 1, signal };
        return (await client.list(PODS, pods)).items.length > 0;
      } catch (error) {
        // Who may not read pods finds out from the pool, which refuses the next candidate until they are gone.
        if (isKubeError(error, 'Forbidden')) return false;
        throw error;
      }
    };
    while (clock.monotonic() < endMs && (await isLeft())) await sleep(POLL_MS, { clock, signal });
  }

  /** Requests the deletion of the candidate. Returns what it was, or undefined if there is none. */
  async delete(signal: AbortSignal): Promise<InferenceModel | undefined> {
    const found = await this.#find(signal);
    if (!found) return undefined;
    const preconditions = { uid: found.metadata.uid };
    try {
      await this.#options.client.delete(INFERENCE_MODELS, this.#key, { preconditions, signal });
    } catch (error) {
      if (!isKubeError(error, 'NotFound')) throw error;
    }
    return found;
  }

  #isReady(state: CandidateState): boolean {
    return state.is === 'ready' && state.since === this.#readySince;
  }

  /** Resolves once the candidate has failed. Rejects when the signal aborts. */
  async #untilFailed(rate: number, signal: AbortSignal): Promise<Failure> {
    for (;;) {
      await sleep(POLL_MS, { clock: this.#options.clock, signal });
      const failure = await this.#explain(rate, signal);
      if (failure) return failure;
    }
  }

  /** Why the candidate is not ready, or was not for a while. Undefined if nothing has happened. */
  async #explain(rate: number, signal: AbortSignal): Promise<Failure | undefined> {
    const { clock } = this.#options;
    const startMs = clock.monotonic();
    for (;;) {
      const state = await this.#state(signal);
      if (this.#isReady(state)) return undefined;
      const explains = state.is !== 'starting' || /Crashed|Failed|WaitingForAccelerators/.test(state.reason);
      if (explains || clock.monotonic() - startMs > EXPLAIN_MS) return { ...deathOf(state), rate };
      await sleep(POLL_MS, { clock, signal });
    }
  }

  async #waitUntilReady(startMs: number, signal: AbortSignal): Promise<void> {
    const { clock, readyTimeoutMs, say, wake } = this.#options;
    let said = { text: '', atMs: Number.NEGATIVE_INFINITY };
    let waking: Promise<void> | undefined;
    const done = new AbortController();
    try {
      for (;;) {
        const state = await this.#state(signal);
        const now = clock.monotonic();
        if (state.is === 'ready') {
          this.#readySince = state.since;
          return;
        }
        if (state.is === 'failed') this.#refuse(state.failure, now - startMs);
        if (state.is === 'asleep')
          waking ??= wake(this.name, AbortSignal.any([signal, done.signal])).then(() => {
            waking = undefined;
          });
        const text = stateText(state);
        if (text !== said.text || now - said.atMs >= REPEAT_MS) {
          said = { text, atMs: now };
          say(`  ${Math.round((now - startMs) / 1000)} s: ${text}`);
        }
        if (now - startMs > readyTimeoutMs) throw timeout(state, readyTimeoutMs);
        const pause = sleep(POLL_MS, { clock, signal });
        await Promise.race([pause, rejection(waking)]);
        await pause;
      }
    } finally {
      done.abort();
      await waking?.catch(() => undefined);
    }
  }

  /** A candidate whose model is gone would be deleted with it at once. */
  async #checkModel(signal: AbortSignal): Promise<void> {
    const { client, model } = this.#options;
    const { namespace = '', name, uid } = model.metadata;
    try {
      const found = await client.get<InferenceModel>(INFERENCE_MODELS, { namespace, name }, { signal });
      if (found.metadata.uid === uid) return;
    } catch (error) {
      if (!isKubeError(error, 'NotFound')) throw error;
    }
    throw new TuneStoppedError(`InferenceModel ${namespace}/${name} was deleted meanwhile`);
  }

  #refuse(failure: Failure, sinceMs: number): void {
    const isPools = failure.kind === 'refused' && !['InvalidSpec', 'ApplyRefused'].includes(failure.reason);
    if (isPools && TRANSIENT.has(failure.reason) && sinceMs < TRANSIENT_MS) return;
    if (isPools)
      throw new TuneStoppedError(
        `the pool does not take ${this.#key.namespace}/${this.name}: ${failure.reason}: ${failure.message}`,
      );
    throw new ProfileFailedError(failure);
  }

  /** Waits while the API server does not answer, because engines serve without it. */
  async #state(signal: AbortSignal): Promise<CandidateState> {
    const { clock } = this.#options;
    const endMs = clock.monotonic() + OUTAGE_MS;
    for (;;) {
      try {
        await this.#renew(signal);
        const model = await this.#get(signal);
        return model ? candidateState(model) : { is: 'failed', failure: removed() };
      } catch (error) {
        if (!isKubeError(error) || !error.retryable || clock.monotonic() > endMs) throw error;
        await sleep(POLL_MS, { clock, signal });
      }
    }
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { client, clock } = this.#options;
    const now = clock.monotonic();
    if (now < this.#renewAtMs) return;
    const annotations = { [IN_USE_UNTIL]: secondTime(clock.now() + LEASE_MS) };
    try {
      await client.patch(INFERENCE_MODELS, this.#key, { merge: { metadata: { annotations } } }, { signal });
      this.#renewAtMs = now + LEASE_MS / 2;
    } catch (error) {
      if (!isKubeError(error, 'NotFound')) throw error;
    }
  }

  /** The candidate, if it is one of this model. */
  async #find(signal: AbortSignal): Promise<InferenceModel | undefined> {
    const { metadata } = this.#options.model;
    const found = await this.#get(signal);
    if (!found) return undefined;
    const isOurs = found.metadata.labels?.[CANDIDATE_LABEL] === metadata.name;
    if (isOurs && isOwnedBy(found, metadata.uid ?? '')) return found;
    throw new TuneStoppedError(
      `InferenceModel ${this.#key.namespace}/${this.name} exists and is no candidate of ${metadata.name}; delete or rename it`,
    );
  }

  async #get(signal: AbortSignal): Promise<InferenceModel | undefined> {
    try {
      return await this.#options.client.get<InferenceModel>(INFERENCE_MODELS, this.#key, { signal });
    } catch (error) {
      if (isKubeError(error, 'NotFound')) return undefined;
      throw error;
    }
  }
}

function removed(): Failure {
  return { kind: 'removed', reason: 'NotFound', message: 'the candidate no longer exists' };
}

/** Accelerators that another model holds are not there for the next profile either. */
function timeout(state: CandidateState, ms: number): Error {
  const seconds = Math.round(ms / 1000);
  const { reason, message } = state.is === 'starting' ? state : { reason: 'Idle', message: stateText(state) };
  if (reason === QUEUED)
    return new TuneStoppedError(
      `the pool had no accelerators for ${seconds} s: ${message}; wait longer with --ready-timeout, or try again when other models sleep`,
    );
  return new ProfileFailedError({ kind: 'start-timeout', reason, message: `after ${seconds} s: ${message}` });
}

function deathOf(state: CandidateState): Failure {
  const kind = 'died-under-load';
  switch (state.is) {
    case 'failed':
      return state.failure.kind === 'removed' ? state.failure : { ...state.failure, kind };
    case 'asleep':
      return { kind: 'evicted', reason: 'Idle', message: 'the candidate was put to sleep' };
    case 'ready':
      return { kind, reason: 'Restarted', message: 'the engine was not ready for a while during the run' };
    case 'starting':
      if (state.reason === QUEUED) return { kind: 'evicted', reason: state.reason, message: state.message };
      return { kind, reason: state.reason, message: state.message };
  }
}

function stateText(state: CandidateState): string {
  if (state.is === 'starting') return `${state.reason}: ${state.message}`;
  return state.is === 'failed' ? `${state.failure.reason}: ${state.failure.message}` : 'waking the engine';
}

/** Only rejects, as soon as the promise does. */
function rejection(promise: Promise<void> | undefined): Promise<never> {
  return new Promise((_, reject) => promise?.catch(reject));
}
