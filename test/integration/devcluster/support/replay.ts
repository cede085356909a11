import { setTimeout as sleep } from 'node:timers/promises';
import { Bindings } from './bindings.ts';
import { difference } from './difference.ts';
import { EventLines } from './event-lines.ts';
import type { RecordedRequest, RecordedResponse, Scenario, Step } from './recordings.ts';

const POLL_MS = 50;
const POLL_LIMIT_MS = 10_000;
const EVENTS_LIMIT_MS = 5_000;
/** How long a watch that must stay silent is listened to. */
const SILENCE_MS = 1_200;
/** What controllers write counts only in these. */
const CONTROLLER_SCENARIOS = ['deployments', 'horizontal-pod-autoscaler'];

type Fields = Record<string, unknown>;

interface Answer {
  status: number;
  body: unknown;
  warning: boolean;
}

/** A step that was not answered as recorded. */
export interface Deviation {
  step: number;
  what: string;
  differences: string[];
}

/** Replays a scenario in a namespace that exists; returns how many steps were compared and which deviated. */
export async function replay(
  base: string,
  scenario: Scenario,
  namespace: string,
): Promise<{ compared: number; deviations: Deviation[] }> {
  const player = new Player(base, namespace, CONTROLLER_SCENARIOS.includes(scenario.name));
  const deviations: Deviation[] = [];
  let compared = 0;
  for (const [step, each] of scenario.steps.entries()) {
    const differences = await player.play(each);
    if (each.setup || each.waitMs) continue;
    compared++;
    if (differences.length > 0) deviations.push({ step, what: describe(each), differences });
  }
  return { compared, deviations };
}

function describe(step: Step): string {
  const request = step.request ?? step.poll;
  return `${request ? `${request.method} ${request.path}` : `watch ${step.watch?.path}`} ${step.note ?? ''}`.trim();
}

class Player {
  readonly #base: string;
  readonly #controllers: boolean;
  #bindings: Bindings;

  constructor(base: string, namespace: string, controllers: boolean) {
    this.#base = base;
    this.#controllers = controllers;
    this.#bindings = new Bindings(namespace);
  }

  async play(step: Step): Promise<string[]> {
    if (step.setup) return this.#setUp(step.setup, step.bind);
    // The recording waited for kube-apiserver's caches; what follows is polled or in order here.
    if (step.waitMs !== undefined) return [];
    if (step.poll) return this.#poll(step.poll, step.response ?? { status: 200 });
    if (step.watch) return this.#watch(step.watch.path, step);
    if (!step.request) return ['a step of no known form'];
    return this.#compare(step.response ?? { status: 200 }, await this.#send(step.request), this.#bindings);
  }

  async #setUp(request: RecordedRequest, bind: unknown): Promise<string[]> {
    const answer = await this.#send(request);
    if (answer.status >= 300) return [`setup answered ${answer.status}: ${JSON.stringify(answer.body)}`];
    if (bind !== undefined) difference(bind, answer.body, this.#bindings);
    return [];
  }

  async #poll(request: RecordedRequest, wanted: RecordedResponse): Promise<string[]> {
    const end = Date.now() + POLL_LIMIT_MS;
    for (;;) {
      const trial = this.#bindings.branch();
      const found = this.#compare(wanted, await this.#send(request), trial);
      if (found.length === 0) {
        this.#bindings = trial;
        return [];
      }
      if (Date.now() > end) return found;
      await sleep(POLL_MS);
    }
  }

  async #watch(recordedPath: string, step: Step): Promise<string[]> {
    const wanted = step.response?.events ?? [];
    const path = await this.#latest(this.#bindings.fillText(recordedPath));
    const stop = new AbortController();
    const response = await fetch(this.#base + path, { signal: stop.signal });
    const events = new EventLines(response, (event) => !SYSTEM_NAME.test(nameOf(event.object)));
    const differences: string[] = [];
    for (const inner of step.during ?? []) differences.push(...(await this.play(inner)));
    await events.waitFor(wanted.length, wanted.length === 0 ? SILENCE_MS : EVENTS_LIMIT_MS);
    stop.abort();
    const answer = { status: response.status, body: events.events, warning: false };
    return [
      ...differences,
      ...this.#compare({ status: step.response?.status ?? 200, body: wanted }, answer, this.#bindings),
    ];
  }

  async #latest(path: string): Promise<string> {
    if (!path.includes('$LATEST')) return path;
    const list = await this.#send({ method: 'GET', path: `${path.split('?')[0]}?limit=1` });
    const { metadata } = list.body as { metadata: { resourceVersion: string } };
    return path.replace('$LATEST', metadata.resourceVersion);
  }

  async #send({ method, path, headers, body }: RecordedRequest): Promise<Answer> {
    const filled =
      body === undefined
        ? undefined
        : typeof body === 'string'
          ? this.#bindings.fillText(body)
          : JSON.stringify(this.#bindings.fill(body));
    const response = await fetch(this.#base + this.#bindings.fillText(path), {
      method,
      headers: {
        Accept: 'application/json',
        'User-Agent': 'node',
        ...(filled === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(this.#bindings.fill(headers ?? {}) as Record<string, string>),
      },
      ...(filled === undefined ? {} : { body: filled }),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: withoutSystemItems(parsed(text)),
      warning: response.headers.has('warning'),
    };
  }

  #compare(wanted: RecordedResponse, answer: Answer, bindings: Bindings): string[] {
    const out: string[] = [];
    if (wanted.status !== answer.status) out.push(`status: want ${wanted.status} got ${answer.status}`);
    if ((wanted.warning !== undefined) !== answer.warning)
      out.push(`warning: want ${wanted.warning} got ${answer.warning}`);
    if (wanted.body === undefined) return out;
    return [...out, ...difference(this.#settled(wanted.body), this.#settled(answer.body), bindings)];
  }

  /** Takes out what controllers write, unless the scenario is about them. */
  #settled(value: unknown): unknown {
    if (this.#controllers || typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((item) => this.#settled(item));
    const object = value as Fields;
    if (object.object !== undefined) return { ...object, object: this.#settled(object.object) };
    return typeof object.metadata === 'object' && object.metadata !== null
      ? settledObject(object, object.metadata as Fields)
      : object;
  }
}

function settledObject(object: Fields, metadata: Fields): Fields {
  const { annotations, managedFields, ...meta } = metadata;
  const { 'deployment.kubernetes.io/revision': _, ...kept } = (annotations ?? {}) as Fields;
  if (Object.keys(kept).length > 0) meta.annotations = kept;
  if (Array.isArray(managedFields))
    meta.managedFields = managedFields.filter((entry: Fields) => entry.manager !== 'kube-controller-manager');
  const out: Fields = { ...object, metadata: meta };
  if (object.kind === 'Deployment') delete out.status;
  if (object.kind === 'Deployment' || object.kind === 'Scale') delete meta.resourceVersion;
  return out;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

const SYSTEM_NAME = /^kube-root-ca/;

function nameOf(item: unknown): string {
  return (item as { metadata?: { name?: string } } | null)?.metadata?.name ?? '';
}

function withoutSystemItems(body: unknown): unknown {
  const { items } = (typeof body === 'object' && body !== null ? body : {}) as { items?: unknown };
  return Array.isArray(items)
    ? { ...(body as Fields), items: items.filter((item) => !SYSTEM_NAME.test(nameOf(item))) }
    : body;
}
