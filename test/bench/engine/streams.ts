import { performance } from 'node:perf_hooks';
import { Agent, request } from 'undici';
import { quantile } from '../scaling/quantile.ts';

/** Tokens of one stream. */
const TOKENS = 64;

export interface Level {
  /** Streams at once. */
  streams: number;
  rounds: number;
  model: string;
  /** URLs of the engine and of the router in front of it. */
  direct: string;
  router: string;
}

/** In milliseconds. */
interface Times {
  /** Until the first token, for each stream. */
  firstToken: number[];
  /** Between two tokens, as the mean of each stream. */
  betweenTokens: number[];
}

/**
 * Runs streams on both sides in turns, each first as often as the other, and prints both with their ratio. Throws when a
 * stream is not answered in full.
 */
export async function compareStreams(level: Level, signal: AbortSignal): Promise<void> {
  const agent = new Agent({ connections: level.streams });
  const times = { direct: noTimes(), router: noTimes() };
  try {
    // The first requests of a level compile and connect; they are not counted.
    for (const side of ['direct', 'router'] as const) await oneRound(level, level[side], agent, signal);
    for (let round = 0; round < level.rounds; round += 1) {
      const sides = ['direct', 'router'] as const;
      for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
        const { firstToken, betweenTokens } = await oneRound(level, level[side], agent, signal);
        times[side].firstToken.push(...firstToken);
        times[side].betweenTokens.push(...betweenTokens);
      }
    }
  } finally {
    await agent.close();
  }
  report(`engine_streams_${level.streams}_ttft`, times.direct.firstToken, times.router.firstToken);
  report(`engine_streams_${level.streams}_itl`, times.direct.betweenTokens, times.router.betweenTokens);
}

function noTimes(): Times {
  return { firstToken: [], betweenTokens: [] };
}

function report(name: string, direct: readonly number[], router: readonly number[]): void {
  for (const [label, share] of [
    ['p50', 0.5],
    ['p99', 0.99],
  ] as const) {
    const [base, ours] = [quantile(direct, share), quantile(router, share)];
    console.log(`${name}_direct_${label} ${base.toFixed(2)} ms`);
    console.log(`${name}_router_${label} ${ours.toFixed(2)} ms`);
    console.log(`${name}_ratio_${label} ${(ours / base).toFixed(3)} of direct`);
  }
}

async function oneRound(
  { streams, model }: Level,
  url: string,
  agent: Agent,
  signal: AbortSignal,
): Promise<Times> {
  const all = await Promise.all(
    Array.from({ length: streams }, (_, i) => oneStream(url, model, `Story ${i}`, agent, signal)),
  );
  return {
    firstToken: all.map(({ first }) => first),
    betweenTokens: all.map(({ between }) => between),
  };
}

async function oneStream(
  url: string,
  model: string,
  content: string,
  dispatcher: Agent,
  signal: AbortSignal,
): Promise<{ first: number; between: number }> {
  const started = performance.now();
  const { statusCode, body } = await request(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model,
      messages: [{ role: 'user', content }],
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: TOKENS,
      ignore_eos: true,
    }),
    dispatcher,
    signal,
  });
  let text = '';
  let first = 0;
  for await (const chunk of body) {
    text += (chunk as Buffer).toString();
    // The first event has the role only.
    if (first === 0 && /"content":"[^"]/.test(text)) first = performance.now();
  }
  const ended = performance.now();
  if (statusCode !== 200 || !text.includes(`"completion_tokens":${TOKENS}`) || first === 0)
    throw new Error(
      `${url}: status ${statusCode}, a stream of ${TOKENS} tokens ended with ${text.slice(-300)}`,
    );
  return { first: first - started, between: (ended - first) / (TOKENS - 1) };
}
