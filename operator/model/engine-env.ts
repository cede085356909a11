import type { EnvVar } from '../api/common.ts';
import type { InferenceModelSpec } from '../api/inference-model.ts';
import { cpuEnv } from './cpu-env.ts';
import { tracingEnv } from './engine-tracing.ts';
import { mergeEnv } from './merge-settings.ts';
import type { MergedEngine } from './merged-engine.ts';
import { ENGINE_HOME } from './template-volumes.ts';

/**
 * Environment of the engine: the operator's variables, overridden by those of the engine settings, then by those of the
 * template.
 */
export function engineEnv(engine: MergedEngine, spec: InferenceModelSpec): EnvVar[] {
  const cache = `${ENGINE_HOME}/.cache`;
  const token = spec.model.tokenSecretRef;
  const own: EnvVar[] = [
    // Images before v0.23 have no user with this UID, so nothing else sets the home directory.
    { name: 'HOME', value: ENGINE_HOME },
    { name: 'USER', value: 'vllm' },
    { name: 'HF_HOME', value: `${cache}/huggingface` },
    { name: 'VLLM_CACHE_ROOT', value: `${cache}/vllm` },
    { name: 'TRITON_CACHE_DIR', value: `${cache}/triton` },
    { name: 'VLLM_NO_USAGE_STATS', value: '1' },
    // By default vLLM exits after 600 s, long before a large model is loaded.
    { name: 'VLLM_ENGINE_READY_TIMEOUT_S', value: String(engine.startupTimeoutSeconds) },
    ...cpuEnv(engine),
    ...(engine.tracing ? tracingEnv(engine.tracing) : []),
    ...(token === undefined ? [] : [{ name: 'HF_TOKEN', valueFrom: { secretKeyRef: { ...token } } }]),
  ];
  return mergeEnv(own, engine.env, spec.template?.env).map(({ value, ...rest }) =>
    // The API server drops an empty value, which has the same meaning.
    value ? { ...rest, value } : rest,
  );
}
