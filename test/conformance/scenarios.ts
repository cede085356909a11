/** What takes more than one request: load, a client that goes away, the end of an engine. For the chat engine. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { CHAT_MODEL } from './request.ts';
import { send } from './send.ts';

/** An engine that runs, real or simulated. */
export interface RunningEngine {
  url: string;
  terminate(): void;
  /** At once, without a chance to do anything. */
  kill(): void;
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

const PATH = '/v1/completions';
const SHORT = { model: CHAT_MODEL, prompt: 'Once', max_tokens: 5, ignore_eos: true };
const LONG = { ...SHORT, max_tokens: 1500, stream: true };
/** Tokens of the stream that runs when SIGTERM comes: more than are ever made, or few enough to be waited for. */
export const MANY_TOKENS = 1500;
export const FEW_TOKENS = 60;
export const SHUTDOWN_TIMEOUT: readonly string[] = ['--shutdown-timeout', '120'];

const POLL_MS = 100;
/** A stream that gets no token for so long after SIGTERM hangs. */
const HANGS_AFTER_MS = 45_000;

/** Twice as many requests as the engine runs at once. Returns their statuses, each once. */
export async function underLoad(url: string, signal: AbortSignal): Promise<number[]> {
  const answers = await Promise.all(
    Array.from({ length: 16 }, () => send(url, { name: '', path: PATH, body: SHORT }, {}, signal)),
  );
  return [...new Set(answers.map(({ status }) => status))].sort();
}

/** A client closes its stream after the first event. Returns once the engine runs nothing any more. */
export async function clientGoesAway(url: string, signal: AbortSignal): Promise<string> {
  const stream = await open(url, LONG, signal);
  for await (const _ of stream) break;
  stream.destroy();
  for (;;) {
    const { body } = await send(url, { name: '', path: '/metrics' }, {}, signal);
    if (/^vllm:num_requests_running\{[^}]*\} 0(\.0)?$/m.test(body)) return 'stopped';
    await sleep(POLL_MS, undefined, { signal });
  }
}

export interface Ending {
  /** The finish reason of the stream that ran, or `none`. */
  finishReason: string;
  /** Whether it ended with [DONE], ended without, was cut, or was left open until the engine was killed. */
  stream: 'done' | 'ended' | 'cut' | 'hangs';
  /** Statuses of requests that came after the signal, or the code of the connection's error. Each once, in order. */
  health: string[];
  chat: string[];
  exit: string;
}

/** SIGTERM while a stream of `tokens` tokens runs. */
export async function terminated(
  engine: RunningEngine,
  tokens: number,
  signal: AbortSignal,
): Promise<Ending> {
  const stream = await open(engine.url, { ...LONG, max_tokens: tokens }, signal);
  let text = '';
  let over = false;
  const streamed = new Promise<Ending['stream']>((resolve) => {
    const finish = (how: Ending['stream']) => {
      over = true;
      resolve(how);
    };
    stream.on('end', () => finish(text.includes('data: [DONE]') ? 'done' : 'ended'));
    stream.on('error', () => finish('cut'));
  });
  await new Promise<void>((resolve) => {
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      resolve();
    });
  });
  engine.terminate();
  const health: string[] = [];
  const chat: string[] = [];
  let length = text.length;
  let quietSince = performance.now();
  while (!over) {
    if (text.length > length) {
      length = text.length;
      quietSince = performance.now();
    }
    if (performance.now() - quietSince > HANGS_AFTER_MS) {
      engine.kill();
      await streamed;
      return {
        finishReason: 'none',
        stream: 'hangs',
        health: [...new Set(health)],
        chat: [...new Set(chat)],
        exit: 'none',
      };
    }
    health.push(await outcome(engine.url, '/health', undefined, signal));
    chat.push(await outcome(engine.url, PATH, { ...SHORT, max_tokens: 1 }, signal));
    await sleep(POLL_MS, undefined, { signal });
  }
  const how = await streamed;
  const { code, signal: killed } = await engine.exited;
  return {
    finishReason: /"finish_reason": ?"(\w+)"/.exec(text)?.[1] ?? 'none',
    stream: how,
    health: [...new Set(health)],
    chat: [...new Set(chat)],
    exit: String(code ?? killed),
  };
}

async function outcome(url: string, path: string, body: unknown, signal: AbortSignal): Promise<string> {
  try {
    return String((await send(url, { name: '', path, body }, {}, signal)).status);
  } catch (cause) {
    return (cause as { code?: string }).code ?? String(cause);
  }
}

function open(url: string, body: unknown, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    httpRequest(url + PATH, { method: 'POST', headers, agent: false, signal })
      .on('response', resolve)
      .on('error', reject)
      .end(JSON.stringify(body));
  });
}
