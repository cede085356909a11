/** Requests per second and CPU time per request of several servers, measured in turns so that noise meets all of them. */
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';

export interface Target {
  name: string;
  url: string;
  /** Process whose CPU time counts. */
  pid: number;
  body: string;
}

const CONNECTIONS = 64;
const ROUNDS = 5;
const ROUND_MS = 1500;
const TICK_MICROS = 10_000;

/** Medians over all rounds, in the order of the targets. */
export async function compareThroughput(
  targets: readonly Target[],
  signal: AbortSignal,
): Promise<{ perSecond: number; cpuMicros: number }[]> {
  const samples = targets.map(() => ({ rates: [] as number[], cpu: [] as number[] }));
  for (let round = 0; round < ROUNDS + 1; round += 1) {
    for (const [i, target] of targets.entries()) {
      signal.throwIfAborted();
      const before = await cpuTicks(target.pid);
      const { requests, seconds } = await load(target, round === 0 ? 500 : ROUND_MS);
      const after = await cpuTicks(target.pid);
      if (round === 0) continue; // to warm up
      samples[i]?.rates.push(requests / seconds);
      samples[i]?.cpu.push(((after - before) * TICK_MICROS) / requests);
    }
  }
  return samples.map(({ rates, cpu }) => ({ perSecond: median(rates), cpuMicros: median(cpu) }));
}

/** Sends the same request over and over on keep-alive connections; each answer is awaited in full. */
async function load(target: Target, durationMs: number): Promise<{ requests: number; seconds: number }> {
  const { hostname, port, host } = new URL(target.url);
  const message = Buffer.from(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(target.body)}\r\n\r\n${target.body}`,
  );
  const start = performance.now();
  const deadline = start + durationMs;
  let requests = 0;
  await Promise.all(
    Array.from(
      { length: CONNECTIONS },
      async () =>
        await new Promise<void>((resolve, reject) => {
          const socket: Socket = connect({ host: hostname, port: Number(port), noDelay: true });
          let expected = 0;
          socket.on('error', reject);
          socket.on('connect', () => socket.write(message));
          socket.on('data', (data) => {
            if (expected === 0) {
              const text = data.toString('latin1', 0, 1024);
              const length = /content-length: (\d+)/i.exec(text)?.[1];
              if (!text.startsWith('HTTP/1.1 200') || length === undefined) {
                reject(new Error(`${target.name} answered ${text.slice(0, 200)}`));
                return;
              }
              expected = text.indexOf('\r\n\r\n') + 4 + Number(length);
            }
            expected -= data.length;
            if (expected > 0) return;
            expected = 0;
            requests += 1;
            if (performance.now() < deadline) socket.write(message);
            else socket.end(() => resolve());
          });
        }),
    ),
  );
  return { requests, seconds: (performance.now() - start) / 1000 };
}

async function cpuTicks(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
