/** Clients that take their time to send a request or to read its answer: what that is for others. */
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { table } from '../../support/route-table.ts';
import { limited } from './support/admission.ts';
import { connectFrames, END_HEADERS, END_STREAM, FRAME, frame, headerBlock } from './support/http2-frames.ts';
import { perTest } from './support/per-test.ts';
import type { Router } from './support/router.ts';
import { tlsSecret } from './support/tls-secret.ts';

const BODY = '{"model":"m"}';
/** Requests that a percentile needs. */
const COUNT = 20;
const WAIT = 2000;
/** What the router may be wrong by: buckets grow by a quarter, and it looks at clients ten times a second. */
const [BUCKET, LOOKS] = [1.25, 200];
const INITIAL_WINDOW_SIZE = 4;
const WINDOW_UPDATE = 8;

describe('a client that is slow', () => {
  const { engine: startEngine, start, keep } = perTest();

  const setUp = async (env: Record<string, string> = {}) => {
    const engine = await startEngine();
    let answered = 0;
    engine.answer = (_, response) => response.end('{}', () => (answered += 1));
    const models = [limited(engine, 64, { degradation: [{ p95AboveMs: 600_000, maxTokens: 1 }] })];
    const router = await start({ workers: 1, table: table(models), env });
    return { router, answered: () => answered };
  };
  /** The 95th percentile of all requests, once they are counted. */
  const recent = async (router: Router) => {
    let seconds = Number.NaN;
    const read = async () => {
      seconds = Number(/recent_p95_seconds\{.*\} (.*)/.exec(await router.metrics())?.[1] ?? Number.NaN);
      return seconds;
    };
    await expect.poll(read).toBeGreaterThan(0);
    return seconds;
  };
  /** Most that a latency can be of a request that took so many ms in all, of which its client waited. */
  const bound = (took: number) => (BUCKET * (took - WAIT + LOOKS)) / 1000;

  test('to send its requests does not raise the latency of a model', async () => {
    const { router } = await setUp();
    const began = performance.now();
    const headers = { expect: '100-continue', 'content-length': BODY.length };
    const requests: ClientRequest[] = Array.from({ length: COUNT }, () =>
      request(`${router.url}/v1/completions`, { method: 'POST', headers }),
    );
    for (const one of requests) one.flushHeaders();
    await Promise.all(requests.map(async (one) => await once(one, 'continue')));
    await delay(WAIT);
    const answers = requests.map(async (one) => {
      one.end(BODY);
      const [answer] = (await once(one, 'response')) as [IncomingMessage];
      answer.resume();
      await once(answer, 'end');
      return answer.statusCode;
    });
    expect(await Promise.all(answers)).toEqual(requests.map(() => 200));
    const took = performance.now() - began;
    expect(await recent(router)).toBeLessThan(bound(took));
  });

  test('to read its answers does not either', async () => {
    const { router, answered } = await setUp({ VLLM_ROUTER_TLS: keep(await tlsSecret()).directory });
    const began = performance.now();
    const client = await connectFrames(router.address, { [INITIAL_WINDOW_SIZE]: 0 });
    keep({ close: async () => void client.socket.destroy() });
    const streams = Array.from({ length: COUNT }, (_, i) => 2 * i + 1);
    const head = headerBlock([
      [':method', 'POST'],
      [':scheme', 'https'],
      [':path', '/v1/completions'],
      [':authority', 'router'],
      ['content-length', String(BODY.length)],
    ]);
    for (const stream of streams) {
      client.send(frame(FRAME.headers, END_HEADERS, stream, head));
      client.send(frame(FRAME.data, END_STREAM, stream, Buffer.from(BODY)));
    }
    await expect.poll(answered, { message: 'the engine has answered' }).toBe(COUNT);
    await router.metrics(); // which the worker makes after it has read those answers
    await delay(WAIT);
    const data = () => client.frames.filter(({ type }) => type === FRAME.data);
    expect(data()).toEqual([]);
    for (const stream of streams) client.send(frame(WINDOW_UPDATE, 0, stream, Buffer.from([0, 1, 0, 0])));
    const ended = () => data().filter(({ flags }) => flags & END_STREAM).length;
    await expect.poll(ended, { message: 'all are read' }).toBe(COUNT);
    const took = performance.now() - began;
    expect(await recent(router)).toBeLessThan(bound(took));
  });
});
