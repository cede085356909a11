/** Requests per second and CPU time per request of several servers, measured in turns so that noise meets all of them. */
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';

export interface Target {
  name: string;
  url: string;
  /** Process whose CPU time counts. */
  pid: number;
}

/** What one process did in all of its rounds. */
export interface Throughput {
  perSecond: number;
  cpuMicros: number;
  /** Share of the time in which the process had a CPU: near 1, or something else was the limit of `perSecond`. */
  busy: number;
}

const CONNECTIONS = 64;
const ROUNDS = 6;
const ROUND_MS = 400;

/**
 * In the order of the targets. Each is warmed up by so many requests; then they take turns in short rounds, of which each begins with
 * another one. LuaJIT takes up a branch after ten passes and then the next one behind it, so what 1 % of requests go through is
 * compiled after some ten thousand of them, however long they take.
 */
export async function compareThroughput(
  targets: readonly Target[],
  body: string,
  warmUp: number,
  signal: AbortSignal,
): Promise<Throughput[]> {
  const sums = targets.map((target) => ({ target, requests: 0, seconds: 0, cpuSeconds: 0 }));
  for (const target of targets) await load(target, body, (requests) => requests < warmUp);
  for (let round = 0; round < ROUNDS; round += 1) {
    const turn = round % sums.length;
    for (const sum of [...sums.slice(turn), ...sums.slice(0, turn)]) {
      signal.throwIfAborted();
      const before = await cpuSeconds(sum.target.pid);
      const deadline = performance.now() + ROUND_MS;
      const { requests, seconds } = await load(sum.target, body, () => performance.now() < deadline);
      sum.cpuSeconds += (await cpuSeconds(sum.target.pid)) - before;
      sum.requests += requests;
      sum.seconds += seconds;
    }
  }
  return sums.map(({ requests, seconds, cpuSeconds }) => ({
    perSecond: requests / seconds,
    cpuMicros: (cpuSeconds * 1e6) / requests,
    busy: cpuSeconds / seconds,
  }));
}

/** Sends the same request over and over on keep-alive connections, as long as `more` says so; each answer is awaited in full. */
async function load(
  target: Target,
  body: string,
  more: (requests: number) => boolean,
): Promise<{ requests: number; seconds: number }> {
  const { hostname, port, host } = new URL(target.url);
  const message = Buffer.from(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  const start = performance.now();
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
            if (more(requests)) socket.write(message);
            else socket.end(() => resolve());
          });
        }),
    ),
  );
  return { requests, seconds: (performance.now() - start) / 1000 };
}

/** Nanoseconds on a CPU are the first field: https://docs.kernel.org/scheduler/sched-stats.html */
async function cpuSeconds(pid: number): Promise<number> {
  return Number((await readFile(`/proc/${pid}/schedstat`, 'utf8')).split(' ')[0]) / 1e9;
}
