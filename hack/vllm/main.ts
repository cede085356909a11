/**
 * A real vLLM on this machine's CPU, for `npm run conformance` and to try by hand:
 *
 *   node hack/vllm/main.ts models DIRECTORY     writes the tiny models
 *   node hack/vllm/main.ts install [VERSION]    makes the virtual environment; prints the path of `vllm`
 */
import { installVllm, VLLM_VERSIONS } from './environment.ts';
import { writeTinyModels } from './tiny-models.ts';

const [command, argument] = process.argv.slice(2);
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());

if (command === 'models' && argument !== undefined) {
  for (const folder of Object.values(writeTinyModels(argument))) console.log(folder);
} else if (command === 'install') {
  try {
    console.log(await installVllm(argument ?? VLLM_VERSIONS[0], stop.signal));
  } catch (error) {
    console.error(stop.signal.aborted ? 'interrupted: run it again to go on' : error);
    process.exitCode = 1;
  }
} else {
  console.error('usage: node hack/vllm/main.ts models DIRECTORY | install [VERSION]');
  process.exitCode = 2;
}
