/** `vllm-operator plan`: shows the accelerator memory of a model and what remains for requests, before hardware is acquired. */
import { API_VERSION } from '../api/common.ts';
import { describeProfile } from '../model/engine-profile.ts';
import type { MemoryPlan } from '../model/memory-plan.ts';
import type { Resolution } from '../model/resolved-model.ts';
import { assessFiles } from './assess-files.ts';
import { factsText, withConfigs } from './config-files.ts';
import { manifestKey, readManifestFiles } from './manifest-files.ts';
import { type CommandOutput, findProblems, problemsOfMissingPools, warningsOf } from './problems.ts';

/**
 * Prints one paragraph per model, and the facts of each file of `--config`. Returns 1 if there is no model, or if one is invalid
 * or does not fit, else 0.
 */
export function planFiles(
  files: readonly string[],
  { write, fail }: CommandOutput,
  configs: readonly string[] = [],
): number {
  const inFiles = readManifestFiles(files);
  const { models, used, problems: wrongConfigs } = withConfigs(inFiles.models, configs);
  const found = { ...inFiles, models };
  const assessed = assessFiles(found, Date.now());
  for (const { model, assessment } of assessed.models) {
    const resolution = assessment.kind === 'blocked' ? assessment.resolution : assessment.model;
    if (resolution?.engine) write(planText(manifestKey(model), resolution));
  }
  for (const facts of used) write(factsText(facts));
  const problems = [...wrongConfigs, ...findProblems(found, assessed), ...problemsOfMissingPools(found)];
  if (found.models.length === 0 && problems.length === 0) {
    problems.push(
      `${files.join(', ')}: no InferenceModel of ${API_VERSION} found; pass files with models and their pools, or --load with a file of a load`,
    );
  }
  for (const line of [...warningsOf(assessed), ...problems]) fail(`${line}\n`);
  return problems.length > 0 ? 1 : 0;
}

function planText(key: string, { accelerator, memory, engine }: Resolution): string {
  const profile = engine?.profile ? `  profile ${describeProfile(engine.profile)}\n` : '';
  const { count, product } = accelerator;
  const on = `${key} on ${count} x ${product}`;
  if (!memory)
    return `${on}: not planned: the model is not in the catalog; pass its config.json with --config, or set spec.model.facts\n${profile}`;
  if (memory.issue) return `${on}: does not fit\n${profile}`;
  return `${on}: ${memory.summary}\n${detailsOf(memory)}${profile}`;
}

function detailsOf(plan: MemoryPlan): string {
  const { weightsGiB, kvCacheGiB, kvCacheTokens, sequencesAtFullLength, maxModelLen } = plan;
  return `  weights ${weightsGiB.toFixed(1)} GiB, KV cache ${kvCacheGiB.toFixed(1)} GiB per accelerator, ${kvCacheTokens} tokens, ${sequencesAtFullLength.toFixed(1)} sequences of ${maxModelLen}\n`;
}
