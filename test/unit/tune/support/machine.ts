/** Simulated machines: the simulator's settings for a seed, and engines that start on them as `vllm serve` would. */
import { parseArguments } from '../../../../hack/vllm-sim/cli/parse-arguments.ts';
import { StartError } from '../../../../hack/vllm-sim/cli/start-error.ts';
import { resolveSettings, type SimSettings } from '../../../../hack/vllm-sim/settings.ts';
import type { InferenceModel } from '../../../../operator/api/types.ts';
import { candidateState } from '../../../../operator/tune/candidate-state.ts';
import { ProfileFailedError } from '../../../../operator/tune/failure.ts';
import type { Settings } from '../../../../operator/tune/profiles.ts';
import { seededRandom } from '../../../support/seeded-random.ts';

export type Machine = Readonly<Record<string, string>>;

export function machine(seed: number): Machine {
  const random = seededRandom(seed);
  const between = (low: number, high: number) => String(low + random() * (high - low));
  return {
    VLLM_SIM_INTER_TOKEN_MS: between(8, 25),
    VLLM_SIM_PREFILL_OVERHEAD_MS: between(2, 20),
    VLLM_SIM_PREFILL_MS_PER_TOKEN: between(0.02, 0.12),
    VLLM_SIM_LOAD_FACTOR: '1',
    VLLM_SIM_PER_SEQUENCE_MS: between(0.02, 0.2),
    VLLM_SIM_CROWDING_MS: between(2, 150),
    VLLM_SIM_MEMORY_GIB: between(22, 32),
    VLLM_SIM_MIB_PER_BATCHED_TOKEN: between(0.05, 0.4),
    VLLM_SIM_MIB_PER_SEQUENCE: between(1, 12),
  };
}

const FLAGS: Readonly<Record<string, string>> = {
  'engine.batching.maxNumSeqs': '--max-num-seqs',
  'engine.batching.maxNumBatchedTokens': '--max-num-batched-tokens',
};

/** What an engine with these settings resolves to. Throws StartError as the process would exit. */
export function engineOn(machine: Machine, settings: Settings): SimSettings {
  const flags = Object.entries(settings).flatMap(([path, value]) => [FLAGS[path] ?? path, String(value)]);
  return resolveSettings(parseArguments(['Qwen/Qwen3-8B', '--max-model-len', '4096', ...flags]), machine);
}

/** The same, and what the sweep makes of the status that the operator writes if the engine exits. */
export function startedOn(machine: Machine, settings: Settings): SimSettings {
  try {
    return engineOn(machine, settings);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    const state = candidateState(
      modelWith('EngineCrashed', `vLLM exited with exit code 1; its last lines: ${error.message}`),
    );
    if (state.is !== 'failed') throw error;
    throw new ProfileFailedError(state.failure);
  }
}

/** A model whose condition Ready is false for this reason. */
export function modelWith(reason: string, message: string, stalled = false): InferenceModel {
  const condition = { observedGeneration: 1, lastTransitionTime: '2026-01-01T00:00:00Z', reason, message };
  return {
    apiVersion: 'vllm-operator.dev/v1alpha1',
    kind: 'InferenceModel',
    metadata: { name: 'tune-chat', namespace: 'team', uid: 'uid-candidate', generation: 1 },
    spec: {
      poolRef: { name: 'pool' },
      model: { source: 'hf://Qwen/Qwen3-8B', trustRemoteCode: false },
      priority: 0,
      suspend: false,
    },
    status: {
      observedGeneration: 1,
      conditions: [
        { ...condition, type: 'Ready', status: 'False' },
        { ...condition, type: 'Stalled', status: stalled ? 'True' : 'False' },
      ],
    },
  };
}
