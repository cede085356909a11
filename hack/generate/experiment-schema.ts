/** The JSON Schema of the files that `vllm-operator tune` writes. */
import { z } from 'zod';
import { experimentSchema } from '../../operator/tune/experiment.ts';

const HEADER = 'Generated from operator/tune/experiment.ts by `npm run generate`. Do not edit.';

/** Generated files, as path and content. */
export function experimentFiles(): [string, string][] {
  const { $schema, ...schema } = z.toJSONSchema(experimentSchema);
  const json = { $schema, $comment: HEADER, title: 'TuneExperiment', ...schema };
  return [['docs/reference/experiment.schema.json', `${JSON.stringify(json, null, 2)}\n`]];
}
