/** The simulator answers as the recorded engines do (test/vllm-sim/recordings; `npm run conformance -- record`). */
import { afterAll, describe, expect, test } from 'vitest';
import type { SimServer } from '../../hack/vllm-sim/sim-server.ts';
import { askAll } from './ask-all.ts';
import { differences } from './compare.ts';
import { ENGINES, type EngineName } from './engines.ts';
import { EXCEPTIONS, PARTIAL } from './exceptions.ts';
import type { Observation } from './normalise.ts';
import { readRecording, recordedVersions } from './recording.ts';
import {
  clientGoesAway,
  FEW_TOKENS,
  MANY_TOKENS,
  SHUTDOWN_TIMEOUT,
  terminated,
  underLoad,
} from './scenarios.ts';
import { SIMULATED_FOLDERS, simulated } from './simulated.ts';

const NAMES = Object.keys(ENGINES) as EngineName[];
const engines: SimServer[] = [];
afterAll(async () => {
  await Promise.all(engines.map((engine) => engine.close()));
});

async function start(name: EngineName, version: string, args: string[] = []): Promise<SimServer> {
  const engine = await simulated(name, version, args);
  engines.push(engine);
  return engine;
}

/** What the simulator says otherwise, by the name of the request. */
function unlike(
  name: EngineName,
  theirs: Record<string, Observation>,
  ours: Record<string, Observation>,
): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const { name: request } of ENGINES[name].requests) {
    const [recorded, simulated] = [theirs[request], ours[request]];
    const lines = PARTIAL.includes(request)
      ? surplus(recorded?.body, simulated?.body)
      : differences(recorded, simulated);
    if (lines.length > 0) found[request] = lines;
  }
  return found;
}

function surplus(theirs: unknown, ours: unknown): string[] {
  const known = new Set(theirs as string[]);
  return (ours as string[]).filter((line) => !known.has(line)).map((line) => `not in vLLM: ${line}`);
}

test('two versions are recorded, three months apart or more', () => {
  expect(recordedVersions()).toEqual(['0.28.0', '0.32.0']);
});

describe.each(recordedVersions())('vLLM %s', (version) => {
  test.each(NAMES)('%s: every answer is alike but for the named exceptions', async (name) => {
    const engine = await start(name, version);
    const ours = await askAll(
      engine.url,
      ENGINES[name].requests,
      SIMULATED_FOLDERS,
      new AbortController().signal,
    );
    const found = unlike(name, readRecording(version, name).answers, ours);
    const expected = EXCEPTIONS[name];
    for (const request of Object.keys(expected)) if (found[request]) delete found[request];
    expect(found).toEqual({});
  });

  test('at least 98 of 100 answers are alike', () => {
    const all = NAMES.reduce((sum, name) => sum + ENGINES[name].requests.length, 0);
    const exceptions = NAMES.reduce((sum, name) => sum + Object.keys(EXCEPTIONS[name]).length, 0);
    expect(1 - exceptions / all).toBeGreaterThanOrEqual(0.98);
  });

  test('twice as many requests as run at once are all answered, and a client that goes away stops its own', async () => {
    const { scenarios } = readRecording(version, 'chat');
    const { url } = await start('chat', version);
    const { signal } = new AbortController();
    expect(await underLoad(url, signal)).toEqual(scenarios?.underLoad);
    expect(await clientGoesAway(url, signal)).toBe(scenarios?.clientGoesAway);
  });

  test('SIGTERM without a timeout aborts what runs; with one, it waits for it', async () => {
    const { scenarios } = readRecording(version, 'chat');
    if (scenarios === undefined) throw new Error('the recording has no scenarios');
    const end = async (args: readonly string[], tokens: number, timeScale: number) => {
      const engine = await simulated('chat', version, args, timeScale);
      engines.push(engine);
      const { promise: exited, resolve } = Promise.withResolvers<{ code: number; signal: null }>();
      const terminate = (): void => {
        void engine.shutdown().then(() => resolve({ code: 0, signal: null }));
      };
      const running = { url: engine.url, exited, terminate, kill: terminate };
      return await terminated(running, tokens, new AbortController().signal);
    };
    // How long the port answers between the signal and the end is a matter of the machine.
    const { health: _, chat: __, ...aborted } = scenarios.terminated;
    // 0.28 kills its core before that has said `abort`, and leaves the stream open without another token. The simulator
    // aborts, as later versions do.
    if (aborted.stream !== 'hangs') expect(await end([], MANY_TOKENS, 0.1)).toMatchObject(aborted);
    // So is whether one more request comes while the port closes, before the client has read the end of its stream.
    const open = (outcomes: readonly string[]) =>
      outcomes.filter((outcome) => outcome !== 'ECONNREFUSED' && outcome !== 'ECONNRESET');
    const { terminatedWithTimeout: real } = scenarios;
    const ending = await end(SHUTDOWN_TIMEOUT, FEW_TOKENS, 0.5);
    expect({ ...ending, chat: open(ending.chat), health: open(ending.health) }).toEqual({
      ...real,
      chat: open(real.chat),
      health: open(real.health),
    });
  });
});
