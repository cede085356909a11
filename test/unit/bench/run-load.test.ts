/** Loads against the simulated engine in this process, over HTTP. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LOAD_DEFAULTS, type LoadPlan } from '../../../operator/bench/load-plan.ts';
import { loadResultSchema, type StepResult } from '../../../operator/bench/load-result.ts';
import { runLoad } from '../../../operator/bench/run-load.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { control, MODEL, startEngine } from './support/engine.ts';

/** 20 requests that are measured, and 4 before them. */
const plan = (url: string, change: Partial<LoadPlan> = {}): LoadPlan => ({
  ...LOAD_DEFAULTS,
  url,
  model: MODEL,
  rates: [100],
  seconds: 0.2,
  warmUpSeconds: 0.04,
  rampSeconds: 0,
  workload: { kind: 'random', promptTokens: 20, outputTokens: 10 },
  ...change,
});

const run = () => ({ signal: new AbortController().signal, random: seededRandom(1) });

async function measure(url: string, change: Partial<LoadPlan> = {}): Promise<StepResult> {
  const result = await runLoad(plan(url, change), run());
  expect(loadResultSchema.parse(result)).toEqual(result);
  const [step] = result.steps;
  if (step === undefined) throw new Error('there is no step');
  return step;
}

/** A server that answers as the test says. */
async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const stream = (...events: string[]): RequestListener => {
  return (request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(events.map((event) => `data: ${event}\n\n`).join(''));
  };
};
const TOKEN = '{"choices":[{"delta":{"content":"a"}}]}';

describe('a load against an engine', () => {
  it.each(['chat', 'completions'] as const)('measures %s, and nothing of the warm-up', async (api) => {
    const engine = await startEngine();
    const step = await measure(`${engine.url}/v1`, { api });
    expect(step).toMatchObject({ rate: 100, seconds: 0.2, due: 20, sent: 20, completed: 20, errors: {} });
    expect(step).toMatchObject({ outputTokens: 10, errorRate: 0, unfinished: 0 });
    expect(step.promptTokens).toBeGreaterThanOrEqual(20);
    expect(step.latencyMs.count).toBe(20);
    expect(step.firstTokenMs.count).toBe(20);
    expect(step.timePerTokenMs.count).toBe(20);
    expect(step.interTokenMs.count).toBe(180);
    expect(engine.sim.received).toBe(24);
  });

  it('sends the key, and has it nowhere in the result', async () => {
    const engine = await startEngine(['--api-key', 'secret-key']);
    const result = await runLoad(plan(engine.url, { apiKey: 'secret-key' }), run());
    expect(result.steps[0]).toMatchObject({ completed: 20 });
    expect(JSON.stringify(result)).not.toContain('secret-key');
    expect(await measure(engine.url)).toMatchObject({ completed: 0, errors: { 'status-401': 20 } });
  });
});

describe('what goes wrong is counted by its kind', () => {
  it.each([
    ['an error of the engine', { errorRate: 1, errorStatus: 500 }, 'status-500'],
    ['a stream that is cut', { cutStreamAfter: 3 }, 'cut'],
    ['an error in a stream', { errorStreamAfter: 3 }, 'error-in-stream'],
  ])('%s', async (_, failure, kind) => {
    const engine = await startEngine();
    await control(engine, failure);
    const step = await measure(engine.url);
    expect(step).toMatchObject({ completed: 0, errors: { [kind]: 20 }, errorRate: 1 });
    expect(step.latencyMs.count).toBe(0);
  });

  it('a model that is not there, with what the server says once', async () => {
    const engine = await startEngine();
    const failures: string[] = [];
    await runLoad(plan(engine.url, { model: 'other' }), {
      ...run(),
      onFailure: (kind, message) => failures.push(`${kind} ${message}`),
    });
    expect(failures).toEqual([expect.stringMatching(/^status-404 .*other/)]);
  });

  it('nobody who listens', async () => {
    expect(await measure('http://127.0.0.1:1')).toMatchObject({ errors: { 'connect-econnrefused': 20 } });
  });

  it('an answer that never comes, after the timeout', async () => {
    const engine = await startEngine();
    await control(engine, { hang: true });
    const failures: string[] = [];
    const { steps } = await runLoad(plan(engine.url, { timeoutSeconds: 0.1 }), {
      ...run(),
      onFailure: (kind, message) => failures.push(`${kind}: ${message}`),
    });
    expect(steps).toMatchObject([{ errors: { timeout: 20 } }]);
    expect(failures).toEqual(['timeout: no complete answer within 0.1 s']);
  });

  it('a stream without its end, and one that the engine aborted', async () => {
    expect(await measure(await serve(stream(TOKEN)))).toMatchObject({ errors: { cut: 20 } });
    const aborted = '{"choices":[{"delta":{"content":""},"finish_reason":"abort"}]}';
    const url = await serve(stream(TOKEN, aborted, '[DONE]'));
    expect(await measure(url)).toMatchObject({ errors: { 'aborted-by-engine': 20 } });
  });

  it('a line that never ends, of which no more is read than a line may have', async () => {
    const url = await serve((request, response) => {
      request.resume();
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      };
      response.on('drain', more);
      more();
    });
    expect(await measure(url, { rates: [20], seconds: 0.1, warmUpSeconds: 0 })).toMatchObject({
      errors: { 'answer-too-long': 2 },
    });
  });
});

describe('special answers', () => {
  it('without a stream have a latency and tokens, and no first token', async () => {
    const url = await serve((request, response) => {
      request.resume();
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end('{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}');
    });
    const step = await measure(url);
    expect(step).toMatchObject({ completed: 20, promptTokens: 7, outputTokens: 3 });
    expect(step.latencyMs.count).toBe(20);
    expect(step.firstTokenMs.count).toBe(0);
  });

  it('that waited for an engine to start are apart, and hits of the cache are counted', async () => {
    const url = await serve((request, response) => {
      response.setHeader('server-timing', 'hold;dur=12000');
      response.setHeader('x-cache', 'HIT');
      stream(TOKEN, '[DONE]')(request, response);
    });
    const step = await measure(url);
    expect(step).toMatchObject({ completed: 20, cacheHits: 20 });
    expect(step.coldStartMs.count).toBe(20);
    expect(step.latencyMs.count).toBe(0);
  });
});

describe('the open loop', () => {
  it('sends all requests even if none is answered, up to the limit, and says how many it did not send', async () => {
    const engine = await startEngine();
    await control(engine, { hang: true });
    const step = await measure(engine.url, { maxOpen: 15, warmUpSeconds: 0, timeoutSeconds: 1 });
    expect(step).toMatchObject({ due: 20, sent: 15, mostOpen: 15, errors: { 'not-sent': 5, timeout: 15 } });
  });

  it('has as many streams open as arrive before the first answer', async () => {
    const open: (() => void)[] = [];
    const url = await serve((request, response) => {
      open.push(() => stream(TOKEN, '[DONE]')(request, response));
      if (open.length === 500) for (const answer of open) answer();
    });
    const step = await measure(url, { rates: [1000], seconds: 0.5, warmUpSeconds: 0 });
    expect(step).toMatchObject({ sent: 500, mostOpen: 500, completed: 500, errors: {} });
  });

  it('ends with what it has when it is aborted: open requests are no failures', async () => {
    let received = 0;
    const url = await serve(() => {
      received += 1;
    });
    const controller = new AbortController();
    const running = runLoad(plan(url, { seconds: 600, warmUpSeconds: 0 }), { signal: controller.signal });
    await expect.poll(() => received, { message: 'requests are open' }).toBeGreaterThan(3);
    controller.abort();
    const { interrupted, steps } = await running;
    expect(interrupted).toBe(true);
    expect(steps[0]).toMatchObject({ completed: 0, errors: {}, errorRate: 0 });
    expect(steps[0]?.unfinished).toBe(steps[0]?.sent);
    expect(steps[0]?.seconds).toBeLessThan(600);
  });

  it('judges each rate by the objectives and the share of failures', async () => {
    const engine = await startEngine();
    const slow = [{ measure: 'latency', percentile: 'p95', ms: 0.001 }] as const;
    const easy = [{ measure: 'latency', percentile: 'p95', ms: 60_000 }] as const;
    const { steps } = await runLoad(plan(engine.url, { rates: [50, 100], objectives: easy }), run());
    expect(steps.map(({ rate, due, meetsObjectives }) => [rate, due, meetsObjectives])).toEqual([
      [50, 10, true],
      [100, 20, true],
    ]);
    expect(await measure(engine.url, { objectives: slow })).toMatchObject({ meetsObjectives: false });
    await control(engine, { errorRate: 1 });
    expect(await measure(engine.url, { objectives: easy })).toMatchObject({ meetsObjectives: false });
  });
});

it('refuses a plan without a rate', async () => {
  await expect(runLoad(plan('http://h', { rates: [] }), run())).rejects.toThrow(RangeError);
  await expect(runLoad(plan('http://h', { rates: [0] }), run())).rejects.toThrow(/above 0/);
});
