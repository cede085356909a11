import { createSimServer, type SimServer } from '../../hack/vllm-sim/sim-server.ts';
import { ENGINE_ENVIRONMENT, ENGINES, type EngineName, type EngineSuite } from './engines.ts';

/** Folders of the recordings, as the simulator is given them: it opens no file. */
export const SIMULATED_FOLDERS = { adapter: '/srv/tiny/tiny-adapter', models: '/srv/tiny' };

/** A simulated engine of the suite, in this process. */
export async function simulated(
  name: EngineName,
  version: string,
  args: readonly string[] = [],
  timeScale = 0.001,
): Promise<SimServer> {
  const suite: EngineSuite = ENGINES[name];
  return await createSimServer({
    args: [
      `${SIMULATED_FOLDERS.models}/${suite.model}`,
      '--host',
      '127.0.0.1',
      '--port',
      '0',
      ...suite.args,
      ...args,
    ],
    env: {
      ...ENGINE_ENVIRONMENT,
      VLLM_SIM_VERSION: version,
      VLLM_SIM_ADAPTER_FOLDER: SIMULATED_FOLDERS.models,
      VLLM_SIM_TIME_SCALE: String(timeScale),
      VLLM_SIM_EMBEDDING_DIMENSIONS: '64',
      VLLM_SIM_MAX_POSITIONS: suite.model === 'tiny-chat' ? '2048' : '512',
    },
  });
}
