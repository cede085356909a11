import type { EnvVar } from '../api/common.ts';
import type { InferenceModelSpec } from '../api/inference-model.ts';
import { cpuEnv } from './cpu-env.ts';
import { mergeEnv } from './merge-settings.ts';
import type { MergedEngine } from './merged-engine.ts';
import { ENGINE_HOME } from './template-volumes.ts';

/** Environment of the engine: ours, over it the settings' and over that the template's. */
export function engineEnv(engine: MergedEngine, spec: InferenceModelSpec): EnvVar[] {
  const cache = `${ENGINE_HOME}/.cache`;
  const token = spec.model.tokenSecretRef;
  const own: EnvVar[] = [
    // Images before v0.23 have no user of ours, so that nothing says where its home is.
    { name: 'HOME', value: ENGINE_HOME },
    { name: 'USER', value: 'vllm' },
    { name: 'HF_HOME', value: `${cache}/huggingface` },
    { name: 'VLLM_CACHE_ROOT', value: `${cache}/vllm` },
    { name: 'TRITON_CACHE_DIR', value: `${cache}/triton` },
    { name: 'VLLM_NO_USAGE_STATS', value: '1' },
    // vLLM ends itself after 600 s otherwise, long before a large model is loaded.
    { name: 'VLLM_ENGINE_READY_TIMEOUT_S', value: String(engine.startupTimeoutSeconds) },
    ...cpuEnv(engine),
    ...(token === undefined ? [] : [{ name: 'HF_TOKEN', valueFrom: { secretKeyRef: { ...token } } }]),
  ];
  return mergeEnv(own, engine.env, spec.template?.env).map(({ value, ...rest }) =>
    // The API server leaves out an empty value, which means the same.
    value ? { ...rest, value } : rest,
  );
}
