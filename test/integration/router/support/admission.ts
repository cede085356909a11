/** Engines that answer when the test says so, and requests that wait for them. */
import { expect } from 'vitest';
import type { RouteModel } from '../../../../operator/router/route-table.ts';
import { engineAt, model, rules } from '../../../support/route-table.ts';
import type { Engine } from './engine.ts';
import type { Router } from './router.ts';

export interface OpenRequest {
  body: string;
  answer(): void;
}

/** Lets requests wait at the engine. Returns those that came, in order. */
export function hold(engine: Engine): OpenRequest[] {
  const open: OpenRequest[] = [];
  engine.answer = (request, response) => {
    open.push({ body: request.body.toString(), answer: () => response.end('{}') });
  };
  return open;
}

/** Answers requests one after the other, each once it is at the engine. */
export async function answerEach(open: readonly OpenRequest[], from: number, to: number): Promise<void> {
  for (let i = from; i < to; i += 1) {
    await expect.poll(() => open.length > i, { message: 'the next is at the engine' }).toBe(true);
    open[i]?.answer();
  }
}

/** A model `m` on one engine that takes so many requests at a time. */
export function limited(
  engine: Engine,
  capacity: number,
  admission: Partial<RouteModel['admission']> = {},
): RouteModel {
  return {
    ...model('m', [engine.address], { admission: rules(admission) }),
    endpoints: [engineAt(engine.address, capacity)],
  };
}

export interface Asked {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

/** Asks the model `m`, and reads the answer, which is JSON. */
export async function ask(
  router: Router,
  body: object = {},
  { path = '/v1/completions', ...request }: { path?: string } & Pick<RequestInit, 'headers' | 'signal'> = {},
): Promise<Asked> {
  const response = await fetch(router.url + path, {
    ...request,
    method: 'POST',
    body: JSON.stringify({ model: 'm', ...body }),
  });
  const { status, headers } = response;
  return { status, headers, body: (await response.json()) as Record<string, unknown> };
}

/** Resolves once the router counts so many requests of the model `m`. */
export async function untilDemand(
  router: Router,
  wanted: Partial<Record<'inFlight' | 'queued' | 'held', number>>,
): Promise<void> {
  await expect.poll(async () => (await router.demand()).models['uid-m'] ?? {}).toMatchObject(wanted);
}

/** Asks with one body after the other, each once the one before it runs or waits. */
export async function askInTurn(
  router: Router,
  bodies: readonly object[],
  path?: string,
): Promise<Promise<Asked>[]> {
  const answers: Promise<Asked>[] = [];
  for (const body of bodies) {
    answers.push(ask(router, body, path === undefined ? {} : { path }));
    await expect
      .poll(
        async () => {
          const demand = (await router.demand()).models['uid-m'];
          return (demand?.inFlight ?? 0) + (demand?.queued ?? 0);
        },
        { message: 'it is in' },
      )
      .toBe(answers.length);
  }
  return answers;
}
