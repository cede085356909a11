import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RouteModel, RouteTable } from '../../operator/router/route-table.ts';
import { type Router, startRouter } from '../integration/router/support/router.ts';
import { engineAt, model, rules, table } from '../support/route-table.ts';
import { ASLEEP, BUSY, CHAT, EMBEDDER, SUSPENDED } from './names.ts';

/** Base URLs of engines. Either may be missing: two real engines are too many for a small machine. */
export interface Engines {
  chat?: string;
  embed?: string;
}

/** What the models of a program did while it ran. */
export interface Behaviour {
  /** A request waited for the sleeping model. */
  woke: boolean;
  /** A request was refused by the busy one. */
  refused: boolean;
}

/** Room for requests of an engine. */
const CAPACITY = 8;

const PERIOD_MS = 50;

/** A router before engines, and an operator that does no more than to wake one model and to make room in another. */
export class World {
  readonly router: Router;
  readonly #engines: Engines;
  readonly #key = `sk-${randomBytes(16).toString('hex')}`;

  private constructor(router: Router, engines: Engines) {
    this.router = router;
    this.#engines = engines;
  }

  static async start(engines: Engines): Promise<World> {
    return new World(await startRouter(), engines);
  }

  /** Where clients look for an address and a key, unless their code names them. */
  environment(): Record<string, string> {
    return {
      OPENAI_BASE_URL: `${this.router.url}/v1`,
      OPENAI_API_KEY: this.#key,
      ANTHROPIC_BASE_URL: this.router.url,
      ANTHROPIC_API_KEY: this.#key,
    };
  }

  /** Runs a program with the models as they are at its start, and says what became of them. */
  async during(program: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<Behaviour> {
    const behaviour: Behaviour = { woke: false, refused: false };
    const before = await this.#refusals();
    await this.#put(behaviour);
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    await Promise.all([
      program(either).finally(() => stop.abort()),
      this.#operate(behaviour, before, either).finally(() => stop.abort()),
    ]);
    return behaviour;
  }

  async close(): Promise<void> {
    await this.router.close();
  }

  async #operate(behaviour: Behaviour, before: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const woke = behaviour.woke || ((await this.router.demand()).models[`uid-${ASLEEP}`]?.held ?? 0) > 0;
      const refused = behaviour.refused || (await this.#refusals()) > before;
      if (woke !== behaviour.woke || refused !== behaviour.refused) {
        Object.assign(behaviour, { woke, refused });
        await this.#put(behaviour);
      }
      // An abort ends the loop, and is no failure of it.
      await sleep(PERIOD_MS, undefined, { signal }).catch(() => {});
    }
  }

  /** Requests that the busy model has refused so far. */
  async #refusals(): Promise<number> {
    const line = new RegExp(`^vllm_router_rejected_total\\{[^}]*model="${BUSY}"[^}]*\\} (\\d+)$`, 'gm');
    return [...(await this.router.metrics()).matchAll(line)].reduce(
      (sum, [, count]) => sum + Number(count),
      0,
    );
  }

  async #put(behaviour: Behaviour): Promise<void> {
    const { status, body } = await this.router.put(this.#table(behaviour));
    if (status !== 200) throw new Error(`routes refused: ${JSON.stringify(body)}`);
  }

  #table({ woke, refused }: Behaviour): RouteTable {
    const models: RouteModel[] = [];
    const { chat, embed } = this.#engines;
    if (chat) {
      const { host } = new URL(chat);
      const room = (capacity: number) => [engineAt(host, capacity)];
      models.push(
        model(CHAT, [], { state: 'Serving', endpoints: room(CAPACITY) }),
        model(ASLEEP, [], woke ? { state: 'Serving', endpoints: room(CAPACITY) } : {}),
        model(BUSY, [], {
          state: 'Serving',
          endpoints: room(refused ? CAPACITY : 0),
          admission: rules({ maxQueue: 0 }),
        }),
        model(SUSPENDED, [], {
          unavailable: { reason: 'Suspended', message: 'spec.scaling.suspend is set' },
        }),
      );
    }
    if (embed) models.push(model(EMBEDDER, [new URL(embed).host]));
    return table(models, {
      auth: 'APIKey',
      keys: [{ sha256: createHash('sha256').update(this.#key).digest('hex'), tenant: 'team-a/clients' }],
    });
  }
}
