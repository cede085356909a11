/**
 * `npm run conformance -- COMMAND [--version VERSION] [--engine chat|embed|rerank]`: what a real vLLM on this machine's CPU answers.
 *
 *   record   asks it everything and stores the answers in test/vllm-sim/recordings/VERSION
 *   memory   stores what it logs of its memory in test/vllm-sim/recordings/VERSION/memory.json
 *   router   asks it directly and through the router: answers must be equal
 *
 * `npm test` compares the simulator and the memory plan with the recordings, and needs no engine.
 */
import { parseArgs } from 'node:util';
import { VLLM_VERSIONS } from '../../hack/vllm/environment.ts';
import { ENGINES, type EngineName } from './engines.ts';
import { recordMemory } from './memory.ts';
import { record } from './record.ts';
import { compareThroughRouter } from './router.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    version: { type: 'string', default: VLLM_VERSIONS[0] },
    engine: { type: 'string', multiple: true, default: Object.keys(ENGINES) },
  },
});
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());

const [command] = positionals;
const names = Object.keys(ENGINES) as EngineName[];
const engines = names.filter((name) => values.engine.includes(name));
try {
  if (command === 'record') {
    await record(values.version, engines, stop.signal);
  } else if (command === 'memory') {
    await recordMemory(values.version, stop.signal);
  } else if (command === 'router') {
    const unexpected = await compareThroughRouter(values.version, engines, stop.signal);
    console.log(`${unexpected} unexpected differences`);
    if (unexpected > 0) process.exitCode = 1;
  } else {
    console.error('usage: npm run conformance -- record|memory|router [--version VERSION] [--engine NAME]');
    process.exitCode = 2;
  }
} catch (error) {
  if (!stop.signal.aborted) throw error;
  console.error('stopped; nothing more was recorded or compared');
  process.exitCode = 1;
}
