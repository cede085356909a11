import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { simCommand } from '../../../hack/vllm-sim/command.ts';
import {
  type SimExit,
  SimExitedError,
  type SimProcess,
  type StartSimOptions,
  startSim,
} from '../../../hack/vllm-sim/start.ts';
import { type ErrorBody, firstEvent, post } from './http-helpers.ts';

const started: SimProcess[] = [];

async function start(options: StartSimOptions): Promise<SimProcess> {
  const sim = await startSim(options);
  started.push(sim);
  return sim;
}

async function failedStart(args: string[], env: Record<string, string> = {}): Promise<SimExit> {
  try {
    await start({ args, env });
  } catch (cause) {
    if (cause instanceof SimExitedError) {
      return cause.exit;
    }
    throw cause;
  }
  throw new Error('it started');
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((sim) => sim.stop()));
});

function chat(sim: SimProcess, fields: object = {}): Promise<Response> {
  return post(`${sim.url}/v1/chat/completions`, {
    messages: [{ role: 'user', content: 'Hello' }],
    ...fields,
  });
}

/** A stream that takes as long as `tokens` do and has already begun. */
async function openStream(sim: SimProcess, tokens: number): Promise<() => Promise<string>> {
  return firstEvent(await chat(sim, { stream: true, max_tokens: tokens, ignore_eos: true }));
}

describe('start', () => {
  test('refuses a removed flag as argparse does', async () => {
    const exit = await failedStart(['org/model', '--swap-space', '4']);
    expect(exit.code).toBe(2);
    expect(exit.stderr).toMatch(/^usage: vllm .*\nvllm: error: unrecognized arguments: --swap-space 4\n$/);
  });

  test('refuses what only shows after parsing with exit code 1', async () => {
    const [port, memory, oom, core] = await Promise.all([
      failedStart(['org/model'], { VLLM_PORT: 'tcp://10.96.0.7:8000' }),
      failedStart(['meta-llama/Llama-3.3-70B-Instruct'], { VLLM_SIM_MEMORY_GIB: '80' }),
      failedStart(['org/model'], { VLLM_SIM_FAIL_START: 'oom' }),
      failedStart(['org/model'], { VLLM_SIM_STARTUP_SECONDS: '700', VLLM_SIM_TIME_SCALE: '0.0001' }),
    ]);
    expect([port.code, memory.code, oom.code, core.code]).toEqual([1, 1, 1, 1]);
    expect(port.stderr).toContain('appears to be a URI');
    expect(memory.stderr).toContain('OutOfMemoryError');
    expect(oom.stderr).toContain('CUDA out of memory');
    expect(core.stderr).toContain('VLLM_ENGINE_READY_TIMEOUT_S');
  });

  test('does not listen before it is loaded, and ends fast when told to while loading', async () => {
    const port = await freePort();
    const [command = '', ...prefix] = simCommand();
    const child = spawn(
      command,
      [...prefix, 'serve', 'org/model', '--host', '127.0.0.1', '--port', String(port)],
      {
        stdio: ['pipe', 'pipe', 'pipe'],
        env: { VLLM_SIM_STARTUP_SECONDS: '500', VLLM_SIM_EXIT_WITH_STDIN: '1' },
      },
    );
    const text = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text.out += part;
    });
    child.stderr.setEncoding('utf8').on('data', (part: string) => {
      text.err += part;
    });
    await expect.poll(() => text.out.includes('Starting to load model')).toBeTruthy();
    await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow(/fetch failed/);
    child.kill('SIGTERM');
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect([code, text.err]).toEqual([130, 'KeyboardInterrupt: terminated\n']);
  });

  test('is given up when the caller aborts', async () => {
    const abort = new AbortController();
    const starting = startSim({
      args: ['org/model'],
      env: { VLLM_SIM_STARTUP_SECONDS: '500', VLLM_SIM_TIME_SCALE: '1' },
      signal: abort.signal,
    });
    abort.abort(new Error('stopped'));
    await expect(starting).rejects.toThrow('stopped');
  });

  test('reads a config file under the command line', async () => {
    const { mkdtempSync, writeFileSync, rmSync } = await import('node:fs');
    const dir = mkdtempSync('/tmp/vllm-sim-');
    writeFileSync(
      `${dir}/c.yaml`,
      'served-model-name: [from-file]\nmax-model-len: 1k\nenable-prefix-caching: false\n',
    );
    const sim = await start({ args: ['org/model', '--config', `${dir}/c.yaml`, '--max-model-len', '2k'] });
    rmSync(dir, { recursive: true });
    const models = (await (await fetch(`${sim.url}/v1/models`)).json()) as {
      data: { id: string; max_model_len: number }[];
    };
    expect(models.data).toMatchObject([{ id: 'from-file', root: 'org/model', max_model_len: 2000 }]);
  });
});

describe('SIGTERM', () => {
  test('with a shutdown timeout: lets requests finish, fails new ones, stays healthy', async () => {
    const sim = await start({
      args: ['org/model', '--shutdown-timeout', '60', '--max-num-seqs', '1'],
      env: { VLLM_SIM_TIME_SCALE: '0.05' },
    });
    const running = await openStream(sim, 1500);
    const waiting = chat(sim, { max_tokens: 3, ignore_eos: true });
    await expect.poll(async () => ((await control(sim)) as { waiting: number }).waiting).toBe(1);
    sim.signal();
    await expect.poll(async () => ((await control(sim)) as { status: string }).status).toBe('draining');
    const health = await fetch(`${sim.url}/health`);
    expect([health.status, await health.text()]).toEqual([200, '']);
    const refused = await chat(sim);
    expect(refused.status).toBe(500);
    expect(((await refused.json()) as ErrorBody).error.type).toBe('InternalServerError');
    const aborted = await post(`${sim.url}/v1/completions`, { prompt: [1, 2, 3] });
    expect(await aborted.json()).toMatchObject({ choices: [{ finish_reason: 'abort', text: '' }] });
    const text = await running();
    expect(text).toContain('"finish_reason":"length"');
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
    expect(await (await waiting).json()).toMatchObject({ choices: [{ finish_reason: 'length' }] });
    expect((await sim.exited).code).toBe(0);
  });

  test('with a shutdown timeout that is over: cuts what is left', async () => {
    const sim = await start({ args: ['org/model', '--shutdown-timeout', '1'] });
    const stream = await openStream(sim, 20_000);
    await sim.control({ stall: true });
    sim.signal();
    await expect(stream()).rejects.toThrow(/terminated/);
    expect((await sim.exited).code).toBe(0);
  });

  test('without a shutdown timeout: aborts at once', async () => {
    const sim = await start({ args: ['org/model'], env: { VLLM_SIM_TIME_SCALE: '1' } });
    const stream = await openStream(sim, 20_000);
    sim.signal();
    const text = await stream();
    expect(text).toContain('"finish_reason":"abort"');
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
    expect((await sim.exited).code).toBe(0);
  });
});

describe('death', () => {
  test('of the core: fails what is in flight with an error event, and the process follows', async () => {
    const sim = await start({ args: ['org/model'], env: { VLLM_SIM_TIME_SCALE: '0.1' } });
    const stream = await openStream(sim, 20_000);
    await sim.control({ crash: 'oom' });
    expect(await stream()).toMatch(
      /data: \{"error":\{"message":"EngineCore encountered an issue.*"code":500\}\}\n\ndata: \[DONE\]\n\n$/,
    );
    const health = await fetch(`${sim.url}/health`);
    expect([health.status, await health.text()]).toEqual([503, '']);
    expect((await chat(sim)).status).toBe(500);
    expect((await sim.exited).code).toBe(1);
  });

  test('of the process: cuts connections', async () => {
    const [exits, kills] = await Promise.all([
      start({ args: ['org/model'] }),
      start({ args: ['org/model'] }),
    ]);
    const stream = await openStream(kills, 20_000);
    await exits.control({ crash: 'exit' });
    await kills.control({ crash: 'kill' });
    await expect(stream()).rejects.toThrow(/terminated/);
    expect((await exits.exited).code).toBe(1);
    expect((await kills.exited).signal).toBe('SIGKILL');
  });
});

async function control(sim: SimProcess): Promise<unknown> {
  return (await fetch(`${sim.url}/sim/control`)).json();
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
