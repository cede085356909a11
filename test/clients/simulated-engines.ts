import { VLLM_VERSIONS } from '../../hack/vllm/environment.ts';
import type { SimServer } from '../../hack/vllm-sim/sim-server.ts';
import { simulated } from '../conformance/simulated.ts';
import { ENGINE_NAMES } from './engine-names.ts';

/** Both engines that programs need, in this process. */
export async function simulatedEngines(): Promise<Record<'chat' | 'embed', SimServer>> {
  const [version] = VLLM_VERSIONS;
  const [chat, embed] = await Promise.all([
    simulated('chat', version, ENGINE_NAMES.chat),
    simulated('embed', version, ENGINE_NAMES.embed),
  ]);
  return { chat, embed };
}
