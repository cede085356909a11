/** A router with one engine and one key, which has a limit of tokens per minute. */
import { createHash } from 'node:crypto';
import type { RouteKey, RouteModel, RouteTable } from '../../../../operator/router/route-table.ts';
import { model, table } from '../../../support/route-table.ts';
import type { Engine, EngineRequest } from './engine.ts';
import type { PerTest } from './per-test.ts';
import type { Router, RouterOptions } from './router.ts';

export interface Limited {
  upstream: Engine;
  router: Router;
  /** The table, with `overrides`, such as a Redis. */
  routes: (overrides?: Partial<RouteTable>) => RouteTable;
}

export interface LimitedOptions extends RouterOptions {
  model?: Partial<RouteModel>;
}

/** The key `k` with a limit. */
export function limitedKey(tokensPerMinute: number): RouteKey {
  return { sha256: createHash('sha256').update('k').digest('hex'), tenant: 'team-a/ci', tokensPerMinute };
}

/** Starts both. `answer`: a stream when it is a text, else JSON. */
export async function startLimited(
  { engine, start }: PerTest,
  limit: number,
  answer?: (body: Record<string, unknown>, request: EngineRequest) => string | object,
  { model: fields, ...options }: LimitedOptions = {},
): Promise<Limited> {
  const upstream = await engine();
  if (answer) {
    upstream.answer = (request, reply) => {
      const text = answer(JSON.parse(request.body.toString() || '{}'), request);
      const stream = typeof text === 'string';
      reply.writeHead(200, { 'content-type': stream ? 'text/event-stream' : 'application/json' });
      reply.end(stream ? text : JSON.stringify(text));
    };
  }
  const routes = (overrides: Partial<RouteTable> = {}) =>
    table([model('m', [upstream.address], fields)], {
      auth: 'APIKey',
      keys: [limitedKey(limit)],
      ...overrides,
    });
  return { upstream, router: await start({ table: routes(), ...options }), routes };
}

/** Asks with the key `k` for the model `m`; a text is the whole body. */
export async function askLimited(
  router: Router,
  path: string,
  body: object | string,
  signal?: AbortSignal,
): Promise<{ status: number; text: string }> {
  const answer = await fetch(router.url + path, {
    method: 'POST',
    headers: { authorization: 'Bearer k' },
    body: typeof body === 'string' ? body : JSON.stringify({ model: 'm', ...body }),
    ...(signal && { signal }),
  });
  return { status: answer.status, text: await answer.text() };
}
