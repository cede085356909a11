/**
 * The error of the load generator itself, as lines `metric value unit`: the rate at which requests arrive, percentiles against a
 * server whose times are known and against wrk2, and 5,000 open streams. `--wrk2 PATH` names the binary of wrk2
 * (https://github.com/giltene/wrk2), which is left out without it; `--seconds N` is the time of each measurement.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LOAD_DEFAULTS, type LoadPlan } from '../../../operator/bench/load-plan.ts';
import type { StepResult } from '../../../operator/bench/load-result.ts';
import { runLoad } from '../../../operator/bench/run-load.ts';
import { startTimedServer } from './timed-server.ts';

const RATE = 200;
/** Open streams are the rate times the time of a stream. */
const STREAMS = 5000;
const [TOKENS, EVERY_MS] = [100, 200];

/** Times between 20 and 150 ms whose percentiles are known: each hundredth of an exponential distribution, in mixed order. */
const DELAYS_MS = Array.from({ length: 1000 }, (_, n) => {
  const share = (((n * 389) % 1000) + 0.5) / 1000;
  return Math.round((20 - 28 * Math.log(1 - share)) * 1000) / 1000;
});

function trueQuantile(share: number): number {
  return DELAYS_MS.toSorted((a, b) => a - b)[Math.ceil(share * DELAYS_MS.length) - 1] ?? 0;
}

export async function run(signal: AbortSignal, args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { wrk2: { type: 'string' }, seconds: { type: 'string', default: '30' } },
  });
  const seconds = Number(values.seconds);
  const directory = await mkdtemp(join(tmpdir(), 'load-bench-'));
  const server = await startTimedServer(directory, {
    delaysMs: DELAYS_MS,
    tokens: TOKENS,
    everyMs: EVERY_MS,
  });
  try {
    const { latencyMs, arrivalRate, sendDelayMs } = await measure(
      server.delayed,
      { rates: [RATE], seconds },
      signal,
    );
    console.log(`load_arrival_rate_error ${(Math.abs(arrivalRate / RATE - 1) * 100).toFixed(3)} %`);
    console.log(`load_send_delay_p99 ${sendDelayMs.p99.toFixed(2)} ms`);
    for (const [name, share] of [
      ['p50', 0.5],
      ['p95', 0.95],
      ['p99', 0.99],
    ] as const) {
      console.log(`load_${name} ${latencyMs[name].toFixed(1)} ms`);
      console.log(
        `load_${name}_ratio ${(latencyMs[name] / trueQuantile(share)).toFixed(3)} of the server's own time`,
      );
    }
    if (values.wrk2 !== undefined) {
      const judged = await wrk2P99(values.wrk2, server.delayed, directory, seconds);
      console.log(`load_wrk2_p99 ${judged.toFixed(1)} ms`);
      console.log(`load_wrk2_p99_ratio ${(latencyMs.p99 / judged).toFixed(3)} of wrk2`);
    }
    await measureStreams(server.streaming, seconds, signal);
  } finally {
    await server.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function measureStreams(url: string, seconds: number, signal: AbortSignal): Promise<void> {
  const streamSeconds = (TOKENS * EVERY_MS) / 1000;
  const rate = STREAMS / streamSeconds;
  const before = process.cpuUsage();
  const began = performance.now();
  const step = await measure(url, { rates: [rate], seconds, warmUpSeconds: streamSeconds + 5 }, signal);
  const { user, system } = process.cpuUsage(before);
  console.log(`load_streams_most_open ${step.mostOpen} 1`);
  console.log(
    `load_streams_failed ${Object.values(step.errors).reduce((sum, count) => sum + count, 0)} of ${step.due}`,
  );
  console.log(
    `load_streams_arrival_rate_error ${(Math.abs(step.arrivalRate / rate - 1) * 100).toFixed(3)} %`,
  );
  console.log(`load_streams_time_per_token_p50 ${step.timePerTokenMs.p50.toFixed(1)} ms`);
  console.log(`load_streams_send_delay_p99 ${step.sendDelayMs.p99.toFixed(1)} ms`);
  console.log(
    `load_streams_cpu ${((user + system) / 1e6 / ((performance.now() - began) / 1000)).toFixed(2)} cores`,
  );
}

async function measure(url: string, change: Partial<LoadPlan>, signal: AbortSignal): Promise<StepResult> {
  const plan = { ...LOAD_DEFAULTS, model: 'm', rates: [], warmUpSeconds: 5, ...change, url };
  const { steps } = await runLoad(plan, { signal });
  signal.throwIfAborted();
  const [step] = steps;
  if (step === undefined) throw new Error('nothing was measured');
  return step;
}

/** p99 of the same requests at the same rate, in milliseconds. wrk2 does not measure its first ten seconds. */
async function wrk2P99(wrk2: string, url: string, directory: string, seconds: number): Promise<number> {
  const script = join(directory, 'post.lua');
  const body = JSON.stringify({
    model: 'm',
    messages: [{ role: 'user', content: 'hello '.repeat(200) }],
    max_tokens: 200,
  });
  await writeFile(
    script,
    `wrk.method = "POST"\nwrk.body = [[${body}]]\nwrk.headers["Content-Type"] = "application/json"\n`,
  );
  const time = `-d${seconds + 10}s`;
  const target = `${url}/v1/chat/completions`;
  const text = execFileSync(wrk2, ['-t1', '-c100', time, `-R${RATE}`, '-s', script, '--latency', target], {
    encoding: 'utf8',
  });
  const [, value, unit = ''] = /99\.000%\s+([\d.]+)(us|ms|s)/.exec(text) ?? [];
  return Number(value) * ({ us: 0.001, ms: 1, s: 1000 }[unit] ?? Number.NaN);
}
