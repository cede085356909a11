/** `vllm-operator plan`: what a model takes of its accelerators and what is left for requests, before a node is bought. */
import { API_VERSION } from '../api/common.ts';
import { planMemory } from '../model/memory-plan.ts';
import { resolveEngine } from '../model/settings.ts';
import { describeIssue, InvalidSpecError } from '../values/spec-issue.ts';
import { manifestKey, readManifestFiles } from './manifest-files.ts';
import type { CommandOutput } from './render.ts';

/** Prints one paragraph per model. Returns 1 if there is none, or if one is wrong or does not fit, else 0. */
export function planFiles(files: readonly string[], { write, fail }: CommandOutput): number {
  const { models, pools, problems } = readManifestFiles(files);
  const wrong = [...problems];
  if (models.length === 0 && problems.length === 0) {
    wrong.push(
      `${files.join(', ')}: no InferenceModel of ${API_VERSION} in there: name files with models and their pools`,
    );
  }
  for (const model of models) {
    const { name, namespace = model.metadata.namespace } = model.spec.poolRef;
    const key = manifestKey(model);
    const pool = pools.find((candidate) => manifestKey(candidate) === `${namespace}/${name}`);
    if (!pool) {
      wrong.push(
        `InferenceModel ${key}: spec.poolRef: there is no InferencePool ${namespace}/${name} in the files; add its file with another -f`,
      );
      continue;
    }
    try {
      const engine = resolveEngine(pool, model);
      const plan = planMemory(engine);
      const { count, product } = engine.accelerator;
      write(
        `${key} on ${count} x ${product}: ${plan?.issue ? 'does not fit' : (plan?.summary ?? 'not planned: the shape of the model is not known; describe it in spec.model.facts')}\n`,
      );
      if (plan && !plan.issue) {
        write(
          `  weights ${plan.weightsGiB.toFixed(1)} GiB, KV cache ${plan.kvCacheGiB.toFixed(1)} GiB per accelerator, ${plan.kvCacheTokens} tokens, ${plan.sequencesAtFullLength.toFixed(1)} sequences of ${plan.maxModelLen}\n`,
        );
      }
      if (plan?.issue) wrong.push(`InferenceModel ${key}: ${describeIssue(plan.issue)}`);
    } catch (error) {
      if (!(error instanceof InvalidSpecError)) throw error;
      wrong.push(...error.issues.map((issue) => `InferenceModel ${key}: ${describeIssue(issue)}`));
    }
  }
  for (const problem of wrong) fail(`${problem}\n`);
  return wrong.length > 0 ? 1 : 0;
}
