/** `vllm-operator validate`: the checks of the API server and those of the operator, without a cluster. */
import { readManifestFiles } from './manifest-files.ts';
import { type CommandOutput, findProblems } from './render.ts';

/** Prints every problem with file, object, field, value, reason and remedy. Returns 0 when there is none, else 1. */
export function validateFiles(files: readonly string[], { write, fail }: CommandOutput): number {
  const found = readManifestFiles(files);
  const problems = findProblems(found);
  for (const problem of problems) fail(`${problem}\n`);
  if (problems.length > 0) return 1;
  write(`${found.pools.length} pools and ${found.models.length} models are valid\n`);
  return 0;
}
