/** The arguments of `vllm serve` for one engine. */
import { valueAt } from '../values/value-at.ts';
import { hasFlag } from '../vllm/flag-facts.ts';
import { type FlagValue, flatten, isGroup, plain, type RenderContext } from '../vllm/setting.ts';
import { SETTINGS } from '../vllm/settings.ts';
import { TRACES_FLAG } from './engine-tracing.ts';
import { type MergedEngine, worldSize } from './merged-engine.ts';

/** One flag that results from a setting. */
export interface FlagRequest extends FlagValue {
  /** Path of the setting below `spec.engine` or `spec.model`, for issues. */
  field: string;
}

/** All flags that result from the settings of an engine, in rendering order. */
export function flagRequests(engine: MergedEngine): FlagRequest[] {
  const { revision, trustRemoteCode, servedNames } = engine;
  const context: RenderContext = {
    has: (flag) => hasFlag(flag, engine.version),
    acceleratorsPerRank: worldSize(engine) / engine.dataParallelSize,
    drainTimeoutSeconds: engine.drainTimeoutSeconds,
  };
  const settings = settingsInForce(engine);
  return [
    { flag: 'served-model-name', value: servedNames, field: 'model.servedNames' },
    ...(revision === undefined ? [] : [{ flag: 'revision', value: revision, field: 'model.revision' }]),
    ...(trustRemoteCode ? [{ flag: 'trust-remote-code', value: true, field: 'model.trustRemoteCode' }] : []),
    ...(engine.tracing ? [{ flag: TRACES_FLAG, value: engine.tracing.url, field: 'tracing.endpoint' }] : []),
    ...flatten(SETTINGS).flatMap(([path, entry]) => {
      const value = valueAt(settings, path.split('.'));
      if (value === undefined) return [];
      if (isGroup(entry)) {
        const on = entry.switch ? [{ flag: entry.switch, value: true }] : [];
        return on.map((flag) => ({ ...flag, field: `engine.${path}` }));
      }
      const flags = entry.render ? entry.render(value, context) : plain(entry.flags, value);
      return flags.map((flag) => ({ ...flag, field: `engine.${path}` }));
    }),
  ];
}

/** The merged settings with resolved values for the optional ones. */
function settingsInForce(engine: MergedEngine): object {
  const { settings, tensorParallelSize, pipelineParallelSize, dataParallelSize, expertParallel } = engine;
  return {
    ...settings,
    tensorParallelSize,
    pipelineParallelSize,
    dataParallelSize,
    expertParallel,
    batching: { ...settings.batching, maxNumSeqs: engine.maxNumSeqs },
    drainTimeout: `${engine.drainTimeoutSeconds}s`,
  };
}

function format({ flag, value }: FlagValue): string[] {
  if (typeof value === 'boolean') return [`--${value ? '' : 'no-'}${flag}`];
  return typeof value === 'string' ? [`--${flag}=${value}`] : [`--${flag}`, ...value];
}

/**
 * Arguments for a container whose entrypoint is `vllm serve`: the model first, as vLLM requires, then typed flags, then
 * `extraArgs`. Throws RangeError for a flag that the engine version lacks, which `mergeEngine` has already rejected.
 */
export function renderFlags(engine: MergedEngine): string[] {
  const requests = flagRequests(engine);
  for (const { flag } of requests) {
    if (!hasFlag(flag, engine.version)) {
      throw new RangeError(`--${flag} does not exist in this engine version`);
    }
  }
  return [engine.source.argument, ...requests.flatMap(format), ...engine.extraArgs];
}
