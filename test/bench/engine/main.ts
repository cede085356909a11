/** What the router costs in front of a real vLLM on this machine's processor, as lines `metric value unit`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installVllm, VLLM_VERSIONS } from '../../../hack/vllm/environment.ts';
import { writeTinyModels } from '../../../hack/vllm/tiny-models.ts';
import { startEngine } from '../../conformance/real-engine.ts';
import { startRouter } from '../../integration/router/support/router.ts';
import { engineAt, model, table } from '../../support/route-table.ts';
import { compareStreams } from './streams.ts';

/** Streams at once, and how often each number runs on each side. */
const LEVELS = [
  { streams: 1, rounds: 20 },
  { streams: 8, rounds: 8 },
  { streams: 32, rounds: 4 },
] as const;

const MODEL = 'tiny';

/** Starts one engine, and asks it directly and through a router in turns. Fetches 3.6 GB if vLLM is not installed. */
export async function run(signal: AbortSignal): Promise<void> {
  const [version] = VLLM_VERSIONS;
  const command = await installVllm(version, signal);
  const directory = mkdtempSync(join(tmpdir(), 'engine-bench-'));
  const most = Math.max(...LEVELS.map(({ streams }) => streams));
  try {
    const engine = await startEngine({
      command,
      model: writeTinyModels(directory)['tiny-chat'],
      args: [
        ...['--served-model-name', MODEL, '--max-model-len', '2048', '--dtype', 'float32', '--enforce-eager'],
        ...['--max-num-seqs', String(most)],
      ],
      log: join(directory, 'vllm.log'),
      signal,
    });
    console.log(`engine_start ${engine.loadSeconds.toFixed(1)} s`);
    const route = {
      ...model(MODEL, []),
      state: 'Serving' as const,
      endpoints: [engineAt(new URL(engine.url).host, most)],
    };
    const router = await startRouter({ workers: 1, table: table([route]) });
    try {
      for (const level of LEVELS) {
        await compareStreams({ ...level, model: MODEL, direct: engine.url, router: router.url }, signal);
      }
    } finally {
      await router.close();
      engine.terminate();
      await engine.exited;
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
