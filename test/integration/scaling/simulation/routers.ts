/** Routers with the clients in front of them: they route, hold, and tell of it when they are asked. */
import type { DemandReport } from '../../../../operator/router/protocol.ts';
import type { SimCluster, SimPod } from './cluster.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';
import { uidOf } from './uid-of.ts';

/** What a router knows of one model. */
export interface SimRoute {
  uid: string;
  /** Names of pods. */
  endpoints: { id: string; draining: boolean }[];
  unavailable?: string | undefined;
}

export interface SimTable {
  version: number;
  models: SimRoute[];
}

interface SimRequest {
  model: string;
  arrived: number;
  durationMs: number;
}

/** What became of requests. */
export interface Outcomes {
  answered: number;
  /** By the reason that clients were told. */
  refused: Map<string, number>;
  longestHoldMs: number;
}

interface Traffic {
  inFlight: number;
  held: SimRequest[];
  requests: number;
  last: number;
}

export class SimRouter {
  readonly id: string;
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #cluster: SimCluster;
  readonly #outcomes: Outcomes;
  readonly #traffic = new Map<string, Traffic>();
  #table: SimTable = { version: 0, models: [] };
  #seq = 0;
  /** Whether the operator can reach it. Clients always can. */
  reachable = true;
  /** A request is held that was not before. */
  onHeld: () => void = () => {};

  constructor(
    id: string,
    options: { timeline: Timeline; random: Random; cluster: SimCluster; outcomes: Outcomes },
  ) {
    this.id = id;
    this.#timeline = options.timeline;
    this.#random = options.random;
    this.#cluster = options.cluster;
    this.#outcomes = options.outcomes;
  }

  apply(table: SimTable): void {
    if (table.version <= this.#table.version) return;
    this.#table = table;
    for (const [model, traffic] of this.#traffic) {
      for (const request of traffic.held.splice(0)) this.#handle(model, traffic, request);
    }
  }

  arrive(request: SimRequest): void {
    const traffic = this.#of(request.model);
    traffic.requests += 1;
    traffic.last = this.#timeline.now();
    this.#handle(request.model, traffic, request);
  }

  #handle(model: string, traffic: Traffic, request: SimRequest): void {
    const route = this.#table.models.find(({ uid }) => uid === uidOf(model));
    if (route?.unavailable !== undefined) {
      const { refused } = this.#outcomes;
      refused.set(route.unavailable, (refused.get(route.unavailable) ?? 0) + 1);
      return;
    }
    const pods = (route?.endpoints ?? [])
      .filter(({ draining }) => !draining)
      .map(({ id }) => this.#cluster.pod(id))
      .filter((pod) => pod !== undefined);
    const pod = this.#random.pick(pods);
    if (pod) this.#proxy(traffic, pod, request);
    else this.#hold(traffic, request);
  }

  #hold(traffic: Traffic, request: SimRequest): void {
    traffic.held.push(request);
    this.#seq += 1;
    this.onHeld();
  }

  #proxy(traffic: Traffic, pod: SimPod, request: SimRequest): void {
    this.#outcomes.longestHoldMs = Math.max(
      this.#outcomes.longestHoldMs,
      this.#timeline.monotonic() - request.arrived,
    );
    traffic.inFlight += 1;
    pod.inFlight += 1;
    this.#timeline.after(request.durationMs, () => {
      traffic.inFlight -= 1;
      pod.inFlight -= 1;
      traffic.last = this.#timeline.now();
      this.#outcomes.answered += 1;
    });
  }

  held(model: string): number {
    return this.#of(model).held.length;
  }

  report(): DemandReport {
    const models = [...this.#traffic]
      .filter(([, { requests }]) => requests > 0)
      .map(([model, { inFlight, held, last }]) => [
        uidOf(model),
        {
          inFlight,
          held: held.length,
          queued: 0,
          ageMs: this.#timeline.now() - last,
        },
      ]);
    return {
      seq: this.#seq,
      version: this.#table.version,
      models: Object.fromEntries(models),
    };
  }

  #of(model: string): Traffic {
    let traffic = this.#traffic.get(model);
    if (!traffic) {
      traffic = { inFlight: 0, held: [], requests: 0, last: 0 };
      this.#traffic.set(model, traffic);
    }
    return traffic;
  }
}
