/**
 * `npm run clients -- [--engine sim|vllm] [--version VERSION] [NAME…]`: client libraries of several languages, each in a
 * program of its own (programs.ts), through the router. Without names all run, and `vllm bench serve` with a real engine.
 *
 *   sim    simulated engines in this process (the default)
 *   vllm   real ones on this machine's CPU, one after the other
 */
import { parseArgs } from 'node:util';
import { VLLM_VERSIONS } from '../../hack/vllm/environment.ts';
import { Laboratory } from '../conformance/record.ts';
import { benchServe } from './bench-serve.ts';
import { ENGINE_NAMES } from './engine-names.ts';
import { PROGRAMS, type Program } from './programs.ts';
import { runProgram } from './run-program.ts';
import { commandOf, MissingRuntimeError } from './runtimes.ts';
import { simulatedEngines } from './simulated-engines.ts';
import { type Engines, World } from './world.ts';

const BENCH = 'vllm-bench';

/** Runs programs one after the other. Returns how many failed. */
async function runAll(programs: readonly Program[], engines: Engines, signal: AbortSignal): Promise<number> {
  const world = await World.start(engines);
  let failed = 0;
  try {
    for (const program of programs) {
      signal.throwIfAborted();
      const started = performance.now();
      try {
        await runProgram(program, await commandOf(program, signal), world, signal);
        console.log(`ok   ${program.name} (${((performance.now() - started) / 1000).toFixed(0)} s)`);
      } catch (cause) {
        const skipped = cause instanceof MissingRuntimeError;
        if (!skipped) failed += 1;
        console.log(
          `${skipped ? 'skip' : 'FAIL'} ${program.name}: ${cause instanceof Error ? cause.message : cause}`,
        );
      }
    }
  } finally {
    await world.close();
  }
  return failed;
}

async function withSimulator(programs: readonly Program[], signal: AbortSignal): Promise<number> {
  const engines = await simulatedEngines();
  try {
    return await runAll(programs, { chat: engines.chat.url, embed: engines.embed.url }, signal);
  } finally {
    await Promise.all([engines.chat.close(), engines.embed.close()]);
  }
}

async function withVllm(
  programs: readonly Program[],
  bench: boolean,
  version: string,
  signal: AbortSignal,
): Promise<number> {
  const laboratory = await Laboratory.open(version, signal);
  let failed = 0;
  try {
    for (const name of ['chat', 'embed'] as const) {
      const its = programs.filter(({ engine }) => engine === name);
      const load = bench && name === 'chat';
      if (its.length === 0 && !load) continue;
      const engine = await laboratory.start(name, ENGINE_NAMES[name], signal);
      failed += await runAll(its, { [name]: engine.url }, signal);
      if (load) failed += await benchServe(engine.url, version, laboratory.folders.models ?? '', signal);
      engine.terminate();
      await engine.exited;
    }
  } finally {
    laboratory.close();
  }
  return failed;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    engine: { type: 'string', default: 'sim' },
    version: { type: 'string', default: VLLM_VERSIONS[0] },
  },
});
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());

const known = [...PROGRAMS.map(({ name }) => name), BENCH];
const unknown = positionals.filter((name) => !known.includes(name));
if (unknown.length > 0 || !['sim', 'vllm'].includes(values.engine)) {
  console.error(`usage: npm run clients -- [--engine sim|vllm] [--version VERSION] [NAME…]`);
  console.error(`names: ${known.join(', ')}`);
  process.exitCode = 2;
} else {
  const chosen = (name: string) => positionals.length === 0 || positionals.includes(name);
  const programs = PROGRAMS.filter(({ name }) => chosen(name));
  const failed =
    values.engine === 'vllm'
      ? await withVllm(programs, chosen(BENCH), values.version, stop.signal)
      : await withSimulator(programs, stop.signal);
  console.log(`${failed} failed`);
  if (failed > 0) process.exitCode = 1;
}
