/** The best settings as a JSON merge patch for the InferenceModel, in YAML. */
import { stringify } from 'yaml';
import type { InferenceModel } from '../api/types.ts';
import { setAt } from './candidate.ts';
import type { Settings } from './profiles.ts';
import type { QueueLimit } from './queue-limit.ts';

export interface SettingsPatch {
  model: InferenceModel;
  run: string;
  settings: Settings;
  queue: QueueLimit | undefined;
}

/** The content of the file. Fields that the patch does not name stay as they are. */
export function settingsPatch({ model, run, settings, queue }: SettingsPatch): string {
  const spec = {};
  for (const [path, value] of Object.entries(settings)) setAt(spec, path.split('.'), value);
  if (queue) setAt(spec, ['admission', 'maxQueue'], queue.maxQueue);
  const { namespace, name } = model.metadata;
  const because = queue ? `# ${queue.because}\n` : '';
  return `# Settings for InferenceModel ${namespace}/${name}, from run ${run}. A change of spec.engine causes a rollout.\n${because}${stringify({ spec })}`;
}

/** The command that applies the patch. */
export function patchCommand(model: InferenceModel, file: string): string {
  const { namespace, name } = model.metadata;
  return `kubectl patch vmodel -n ${namespace} ${name} --type merge --patch-file ${file}`;
}
