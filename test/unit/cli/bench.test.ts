import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadResultSchema } from '../../../operator/bench/load-result.ts';
import { benchCommand } from '../../../operator/cli/bench-command.ts';
import { control, MODEL, startEngine } from '../bench/support/engine.ts';
import { loadResult, stepResult } from '../bench/support/load-result.ts';

interface Ran {
  code: number | undefined;
  out: string;
  err: string;
}

async function bench(
  args: readonly string[],
  { env = {}, signal = new AbortController().signal }: { env?: object; signal?: AbortSignal } = {},
): Promise<Ran> {
  const ran: Ran = { code: undefined, out: '', err: '' };
  const write = (text: string) => {
    ran.out += text;
  };
  const fail = (text: string) => {
    ran.err += text;
  };
  const command = benchCommand({ write, fail, signal, isTerminal: false, env: { ...env } }, (code) => {
    ran.code = code;
  });
  command.exitOverride().configureOutput({ writeErr: fail, writeOut: write });
  try {
    await command.parseAsync([...args], { from: 'user' });
  } catch (error) {
    ran.code = (error as { exitCode: number }).exitCode;
  }
  return ran;
}

const SHORT = ['--duration', '200ms', '--warm-up', '0', '--ramp', '0', '--output-tokens', '5'];
const load = (url: string, ...args: string[]) => [
  '--url',
  url,
  '--model',
  MODEL,
  '--rates',
  '50',
  ...SHORT,
  ...args,
];

function folder(): string {
  const directory = mkdtempSync(join(tmpdir(), 'bench-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

describe('bench', () => {
  it('prints a table, and writes result and plot', async () => {
    const { url } = await startEngine();
    const directory = folder();
    const files = { result: join(directory, 'result.json'), plot: join(directory, 'plot.svg') };
    const { code, out } = await bench(
      load(url, '--slo', 'p95=1m', '--result', files.result, '--plot', files.plot),
    );
    expect(code).toBe(0);
    expect(out).toContain('whole request');
    expect(out).toContain('Objectives: latency-p95=60000ms. The highest rate that met them is 50/s.');
    const result = loadResultSchema.parse(JSON.parse(readFileSync(files.result, 'utf8')));
    expect(result.steps).toMatchObject([{ rate: 50, completed: 10, meetsObjectives: true }]);
    expect(readFileSync(files.plot, 'utf8')).toMatch(/^<svg .*objective 60000 ms.*<\/svg>\n$/s);
  });

  it('prints the result alone if it has to be quiet', async () => {
    const { url } = await startEngine();
    const { code, out, err } = await bench(load(url, '--quiet', '--output', 'json', '--timeout', '1ms'));
    expect(code).toBe(1);
    expect(err).toBe('');
    expect(loadResultSchema.parse(JSON.parse(out)).steps).toMatchObject([{ completed: 0 }]);
  });

  it('fails if no rate meets the objectives', async () => {
    const { url } = await startEngine();
    const { code, out } = await bench(
      load(url, '--slo', 'p50=1ms', '--max-error-rate', '0', '--timeout', '1ms'),
    );
    expect(code).toBe(1);
    expect(out).toMatch(/No rate met them|Nothing was measured/);
  });

  it('takes the key from the environment or a file, and prints it nowhere', async () => {
    const { url } = await startEngine(['--api-key', 'secret-key']);
    const file = join(folder(), 'key');
    writeFileSync(file, 'secret-key\n');
    const runs = [
      await bench(load(url, '-o', 'json'), { env: { VLLM_API_KEY: 'secret-key' } }),
      await bench(load(url, '-o', 'json', '--api-key-file', file), { env: { VLLM_API_KEY: 'wrong' } }),
    ];
    for (const { code, out, err } of runs) {
      expect(code).toBe(0);
      expect(out + err).not.toContain('secret-key');
    }
  });

  it('compares with an earlier result, and checks how much faster it has to be', async () => {
    const { url } = await startEngine();
    const file = join(folder(), 'baseline.json');
    const slow = stepResult({ rate: 50, requestsPerSecond: 1, outputTokensPerSecond: 5, latencyMs: 1000 });
    writeFileSync(file, JSON.stringify(loadResult([slow])));
    const enough = await bench(load(url, '--against', file, '--min-ratio', '10'));
    expect(enough).toMatchObject({ code: 0, out: expect.stringContaining('of the baseline') });
    expect(await bench(load(url, '--against', file, '--min-ratio', '1000'))).toMatchObject({ code: 1 });
  });

  it('sends the same load to a baseline first, without the key', async () => {
    const ours = await startEngine(['--api-key', 'secret-key']);
    const theirs = await startEngine(['--served-model-name', 'other']);
    const args = load(ours.url, '--against', theirs.url, '--against-model', 'other', '-o', 'json');
    const { code, out } = await bench(args, { env: { VLLM_API_KEY: 'secret-key' } });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      result: { model: MODEL, steps: [{ completed: 10 }] },
      baseline: { model: 'other', steps: [{ completed: 10 }] },
      comparison: { steps: [{ rate: 50 }] },
    });
    const requests = await (await fetch(`${theirs.url}/sim/requests`)).text();
    expect(requests).not.toMatch(/authorization/i);
  });

  it('prints what it has when it is interrupted', async () => {
    const engine = await startEngine();
    const controller = new AbortController();
    const running = bench(load(engine.url, '--duration', '10m'), { signal: controller.signal });
    await expect.poll(() => engine.sim.received, { message: 'it has begun' }).toBeGreaterThan(5);
    controller.abort();
    expect(await running).toMatchObject({
      code: 130,
      out: expect.stringContaining('The run was interrupted'),
    });
  });

  it('goes on if an engine fails in the middle, and counts it', async () => {
    const engine = await startEngine();
    const running = bench(load(engine.url, '--duration', '600ms', '-o', 'json'));
    await expect.poll(() => engine.sim.received, { message: 'it has begun' }).toBeGreaterThan(5);
    await control(engine, { errorRate: 1, errorStatus: 502 });
    const { code, out, err } = await running;
    expect(code).toBe(0);
    const [step] = loadResultSchema.parse(JSON.parse(out)).steps;
    expect(step).toMatchObject({ due: 30, unfinished: 0 });
    expect((step?.completed ?? 0) + (step?.errors['status-502'] ?? 0)).toBe(30);
    expect(err).toContain('first failure status-502');
  });
});

describe('bench says what is wrong before it sends a load', () => {
  it('a URL at which nobody listens', async () => {
    const { code, err } = await bench(load('http://127.0.0.1:1'));
    expect(code).toBe(1);
    expect(err).toMatch(/^--url "http:\/\/127\.0\.0\.1:1": connect ECONNREFUSED.*; check host and port/);
  });

  it('a name that the server does not serve', async () => {
    const { url } = await startEngine();
    const { code, err } = await bench(load(url, '--model', 'wrong'));
    expect(code).toBe(1);
    expect(err).toBe(`--model "wrong": the server does not serve it; it serves ${MODEL}\n`);
  });

  it('a key that is missing or wrong', async () => {
    const { url } = await startEngine(['--api-key', 'secret-key']);
    expect((await bench(load(url))).err).toBe(
      '--api-key-file: the server answers 401 without a key; pass one\n',
    );
    expect((await bench(load(url), { env: { VLLM_API_KEY: 'wrong-key' } })).err).toBe(
      '--api-key-file: the server answers 401 to this key; pass one that it takes\n',
    );
  });

  it.each([
    [['--url', 'ftp://h'], /Use a URL such as/],
    [['--url', 'http://user:pass@h'], /^--url: it has credentials; leave them out[^@]*$/],
    [['--rates', '0'], /"0" is no number from above 0/],
    [['--rates', '1:3'], /the step is missing; use from:to:step/],
    [['--rates', '3:1:1'], /it ends below its beginning/],
    [['--rates', '1:1000:1'], /more than 100 steps/],
    [['--duration', '5'], /units ms, s, m or h/],
    [['--slo', 'p42=1s'], /p50, p90, p95 or p99/],
    [['--max-open', '0'], /integer from 1/],
    [['--min-ratio', '3'], /--min-ratio is for --against/],
    [['--prompts', '/nowhere'], /^\/nowhere: cannot be read/],
    [['--api-key-file', '/dev/null'], /it is no key/],
    [['--result', '/nowhere/result.json'], /^--result \/nowhere\/result\.json: cannot be written/],
    [['--plot', '/nowhere/plot.svg'], /^--plot \/nowhere\/plot\.svg: cannot be written/],
    [['--against', '/dev/null'], /cannot be read as JSON/],
  ])('%s', async (args, message) => {
    const { code, err } = await bench(load('http://127.0.0.1:1', ...args));
    expect(code).toBe(1);
    expect(err).toMatch(message);
    expect(err).not.toContain('user:pass');
  });

  it('a file that is no result', async () => {
    const file = join(folder(), 'result.json');
    writeFileSync(file, '{"kind":"LoadResult"}');
    const { err } = await bench(load('http://127.0.0.1:1', '--against', file));
    expect(err).toMatch(/result\.json: version: .*; pass a file that bench --result has written/);
  });
});

describe('prompts of a file', () => {
  const send = async (content: string): Promise<Ran> => {
    const { url } = await startEngine();
    const file = join(folder(), 'prompts');
    writeFileSync(file, content);
    return await bench(load(url, '--prompts', file));
  };

  it('are lines of text, or JSON lines', async () => {
    expect(await send('first\n\nsecond\n')).toMatchObject({
      code: 0,
      out: expect.stringContaining('prompts 2,'),
    });
    const lines = [{ prompt: 'first', max_tokens: 3 }, { messages: [{ role: 'user', content: 'second' }] }];
    expect(await send(lines.map((line) => JSON.stringify(line)).join('\n'))).toMatchObject({
      code: 0,
      out: expect.stringContaining('prompts 2,'),
    });
  });

  it.each([
    ['', /it has no prompts/],
    ['{"prompt":"a"}\n{"prompt":1,"note":"confidential"}', /prompts:2: neither a "prompt"/],
    ['{"prompt":"a"}\nconfidential', /prompts:2: not JSON/],
  ])('%j is refused without its content', async (content, message) => {
    const { code, err } = await send(content);
    expect(code).toBe(1);
    expect(err).toMatch(message);
    expect(err).not.toContain('confidential');
  });
});
