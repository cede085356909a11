import { changeUnderLoad } from './changes.ts';
import { serveTwoModels } from './serving.ts';
import { sleepAndWake } from './sleeping.ts';
import type { Story } from './story.ts';

/** Two models of two teams, and what happens when things break. A simulated engine loads in three seconds. */
export const simulatedStory: Story = {
  engines: 'nginx and Redis are the real ones; in the place of vLLM and its GPUs runs a simulator.',
  cluster: async () => ({ engineEnv: { VLLM_SIM_STARTUP_SECONDS: '3' } }),
  async tell(chapter) {
    const url = await serveTwoModels(chapter);
    await changeUnderLoad(chapter, url);
    await sleepAndWake(chapter);
    return url;
  },
  // Models of the second file go with the namespaces of the first.
  manifests: () => ['examples/quickstart.yaml', 'examples/scale-to-zero.yaml'],
};
