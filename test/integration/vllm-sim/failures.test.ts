import { afterEach, describe, expect, test } from 'vitest';
import { createSimServer, type SimServer } from '../../../hack/vllm-sim/sim-server.ts';
import { type ErrorBody, events, post } from './http-helpers.ts';

let server: SimServer | undefined;

async function start(env: Record<string, string> = {}, ...flags: string[]): Promise<string> {
  server = await createSimServer({
    args: ['org/model', '--host', '127.0.0.1', '--port', '0', ...flags],
    env: { VLLM_SIM_TIME_SCALE: '0.01', ...env },
  });
  return server.url;
}

afterEach(async () => {
  await server?.close();
});

function chat(url: string, fields: object = {}, init: RequestInit = {}): Promise<Response> {
  const body = {
    messages: [{ role: 'user', content: 'Hello' }],
    max_tokens: 20,
    ignore_eos: true,
    ...fields,
  };
  return post(`${url}/v1/chat/completions`, body, init);
}

describe('switches', () => {
  test('answer with errors at a rate, by environment and at run time', async () => {
    const url = await start({ VLLM_SIM_ERROR_RATE: '1' });
    const failed = await chat(url);
    expect([failed.status, ((await failed.json()) as ErrorBody).error.type]).toEqual([
      500,
      'InternalServerError',
    ]);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    expect(
      await (await post(`${url}/sim/control`, { errorRate: 0.5, errorStatus: 502 })).json(),
    ).toMatchObject({ failures: { errorRate: 0.5 } });
    const statuses = await Promise.all(
      Array.from({ length: 60 }, async () => (await chat(url, { max_tokens: 1 })).status),
    );
    expect(new Set(statuses)).toEqual(new Set([200, 502]));
    expect((await post(`${url}/sim/control`, { errorRat: 1 })).status).toBe(400);
  });

  test('cut a stream, or end it with an error event', async () => {
    const url = await start();
    await post(`${url}/sim/control`, { cutStreamAfter: 3 });
    const cut = await chat(url, { stream: true });
    expect(cut.status).toBe(200);
    await expect(cut.text()).rejects.toThrow(/terminated/);
    await post(`${url}/sim/control`, { cutStreamAfter: null, errorStreamAfter: 3 });
    const data = await events(await chat(url, { stream: true }));
    expect(data).toHaveLength(5);
    expect(JSON.parse(data[3] ?? '')).toEqual({
      error: { message: 'Internal server error', type: 'InternalServerError', param: null, code: 500 },
    });
    expect(data[4]).toBe('[DONE]');
    await expect.poll(() => server?.sim.running).toBe(0);
  });

  test('say 503, to requests or to probes', async () => {
    const url = await start();
    await post(`${url}/sim/control`, { unavailable: true });
    expect((await chat(url)).status).toBe(503);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    await post(`${url}/sim/control`, { unavailable: false, healthStatus: 503 });
    expect((await fetch(`${url}/health`)).status).toBe(503);
    expect((await chat(url)).status).toBe(200);
  });

  test('hang: nothing answers, until told otherwise', async () => {
    const url = await start();
    await post(`${url}/sim/control`, { hang: true });
    const abort = new AbortController();
    const probe = fetch(`${url}/health`, { signal: abort.signal });
    const request = chat(url, {}, { signal: abort.signal });
    const control = (await (await fetch(`${url}/sim/control`)).json()) as { failures: { hang: boolean } };
    expect(control.failures.hang).toBe(true);
    abort.abort(new Error('gave up'));
    await expect(probe).rejects.toThrow('gave up');
    await expect(request).rejects.toThrow('gave up');
    await post(`${url}/sim/control`, { hang: false });
    expect((await chat(url)).status).toBe(200);
  });

  test('stall: probes answer, tokens do not come', async () => {
    const url = await start();
    await post(`${url}/sim/control`, { stall: true });
    const waiting = chat(url);
    await expect.poll(() => server?.sim.waiting).toBe(1);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    await post(`${url}/sim/control`, { stall: false });
    expect((await waiting).status).toBe(200);
  });

  test('slow tokens', async () => {
    const url = await start();
    const latency = async (): Promise<number> => {
      await chat(url);
      const text = await (await fetch(`${url}/metrics`)).text();
      return Number(/inter_token_latency_seconds_sum\{[^}]*\} (\S+)/.exec(text)?.[1]);
    };
    const before = await latency();
    await post(`${url}/sim/control`, { slowFactor: 20 });
    expect(await latency()).toBeGreaterThan(before);
    // 19 steps of 12 ms, a hundredth of it, twentyfold: never less than that.
    expect((await latency()) - before).toBeGreaterThan(19 * 0.012 * 0.01 * 20);
  });
});

describe('what it saw', () => {
  test('is kept without credentials', async () => {
    const url = await start();
    await chat(url, {}, { headers: { traceparent: '00-aa-bb-01', authorization: 'Bearer secret' } });
    const seen = await (await fetch(`${url}/sim/requests`)).text();
    expect(JSON.parse(seen)).toMatchObject([
      {
        method: 'POST',
        path: '/v1/chat/completions',
        headers: { traceparent: '00-aa-bb-01', authorization: 'present' },
      },
    ]);
    expect(seen).not.toContain('secret');
  });

  test('is in the metrics, in the exposition format and with the labels of vLLM', async () => {
    const url = await start(
      {},
      '--served-model-name',
      'we"ird',
      '--data-parallel-size',
      '2',
      '--max-model-len',
      '100',
    );
    await Promise.all(Array.from({ length: 6 }, () => chat(url)));
    const text = await (await fetch(`${url}/metrics`)).text();
    const samples = new Map<string, number>();
    for (const line of text.split('\n').filter((each) => each !== '' && !each.startsWith('#'))) {
      const match = /^([a-z0-9_:]+(?:\{(?:[a-z_]+="(?:[^"\\]|\\.)*",?)*\})?) (\S+)$/i.exec(line);
      expect(match, line).not.toBeNull();
      samples.set(match?.[1] ?? '', Number(match?.[2]));
    }
    const sum = (name: string, labels = ''): number =>
      [0, 1].reduce(
        (total, engine) =>
          total + (samples.get(`${name}{model_name="we\\"ird",engine="${engine}"${labels}}`) ?? Number.NaN),
        0,
      );
    expect(sum('vllm:generation_tokens_total')).toBe(120);
    expect(sum('vllm:request_success_total', ',finished_reason="length"')).toBe(6);
    expect(sum('vllm:time_to_first_token_seconds_count')).toBe(6);
    expect(sum('vllm:time_to_first_token_seconds_bucket', ',le="+Inf"')).toBe(6);
    expect(sum('vllm:request_generation_tokens_bucket', ',le="10.0"')).toBe(0);
    expect(sum('vllm:request_generation_tokens_bucket', ',le="20.0"')).toBe(6);
    expect(sum('vllm:num_requests_running')).toBe(0);
    expect(text).toContain('# TYPE vllm:iteration_tokens_total histogram');
    expect([...samples.keys()].some((key) => key.startsWith('vllm:time_per_output_token_seconds'))).toBe(
      false,
    );
    expect(
      samples.get('http_requests_total{handler="/v1/chat/completions",method="POST",status="2xx"}'),
    ).toBe(6);
  });
});

describe('clients that go away', () => {
  test('end their generation, also when the answer is in one piece', async () => {
    const url = await start({ VLLM_SIM_TIME_SCALE: '1' });
    const abort = new AbortController();
    const request = chat(url, { max_tokens: 30_000 }, { signal: abort.signal });
    await expect.poll(() => server?.sim.running).toBe(1);
    abort.abort(new Error('gone'));
    await expect(request).rejects.toThrow('gone');
    await expect.poll(() => server?.sim.running).toBe(0);
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/finished_reason="abort"\} 1\.0/);
  });
});

describe('scale', () => {
  test('a thousand streams at once, none short of a token', async () => {
    const url = await start();
    const counts = await Promise.all(
      Array.from({ length: 1000 }, async () => (await events(await chat(url, { stream: true }))).length),
    );
    // The role, twenty tokens, and the end.
    expect(new Set(counts)).toEqual(new Set([22]));
  });
});
