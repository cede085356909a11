import type { ApiObject } from '../api-object.ts';
import { ensureObject, equal, type JsonObject, objectAt, setDefault, stringAt } from '../json.ts';
import { fieldInvalid, fieldRequired } from '../object-meta.ts';
import type { Behaviour } from '../resource.ts';
import type { Cause } from '../status-error.ts';
import { defaultTemplate } from './pod-defaults.ts';
import { validateWorkload } from './workloads.ts';

const CRON_FIELDS = 5;
/** What a field of a schedule is made of; descriptors such as `@daily` are a word of their own. */
const CRON_FIELD = /^[\d*?/,A-Za-z-]+$/;
const DESCRIPTOR = /^@(yearly|annually|monthly|weekly|daily|midnight|hourly|every \S+)$/;

/** Jobs: the server picks a selector by the job's uid, unless it was picked by hand; nobody owns it. */
export const JOBS: Behaviour = {
  default(object) {
    const spec = ensureObject(object, 'spec');
    defaultTemplate(spec);
    if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
    setDefault(spec, 'parallelism', 1);
    setDefault(spec, 'backoffLimit', 6);
    setDefault(spec, 'completionMode', 'NonIndexed');
    setDefault(spec, 'suspend', false);
    setDefault(spec, 'manualSelector', false);
    setDefault(spec, 'podReplacementPolicy', 'TerminatingOrFailed');
  },
  allocate(object) {
    const spec = ensureObject(object, 'spec');
    if (spec.manualSelector === true) return;
    const uid = object.metadata.uid ?? '';
    const labels = {
      'batch.kubernetes.io/controller-uid': uid,
      'batch.kubernetes.io/job-name': object.metadata.name,
      'controller-uid': uid,
      'job-name': object.metadata.name,
    };
    const metadata = ensureObject(ensureObject(spec, 'template'), 'metadata');
    Object.assign(ensureObject(metadata, 'labels'), labels);
    // Those of the template are the Job's own too where it has none.
    object.metadata.labels ??= labels;
    spec.selector = { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } };
  },
  validate(object, old) {
    const spec = objectAt(object, 'spec');
    const selected = spec.manualSelector === true || old !== undefined;
    const causes = [...validateWorkload(object, old, selected), ...restartFaults(spec, 'spec')];
    if (!old) return causes;
    const before = objectAt(old, 'spec');
    if (!equal(before.completions ?? null, spec.completions ?? null) && spec.completionMode !== 'Indexed')
      causes.push(fieldInvalid('spec.completions', spec.completions ?? null, 'field is immutable'));
    const pods = (each: JsonObject): JsonObject => objectAt(each, 'template', 'spec');
    if (!equal(pods(before), pods(spec)))
      causes.push(fieldInvalid('spec.template.spec', pods(spec), 'field is immutable'));
    return causes;
  },
};

function restartFaults(spec: JsonObject, path: string): Cause[] {
  const policy = stringAt(spec, 'template', 'spec', 'restartPolicy');
  if (policy === 'OnFailure' || policy === 'Never') return [];
  return [fieldRequired(`${path}.template.spec.restartPolicy`, 'valid values: "OnFailure", "Never"')];
}

/** CronJobs. */
export const CRON_JOBS: Behaviour = {
  default(object) {
    const spec = ensureObject(object, 'spec');
    setDefault(spec, 'concurrencyPolicy', 'Allow');
    setDefault(spec, 'suspend', false);
    setDefault(spec, 'successfulJobsHistoryLimit', 3);
    setDefault(spec, 'failedJobsHistoryLimit', 1);
    defaultTemplate(ensureObject(ensureObject(spec, 'jobTemplate'), 'spec'));
  },
  validate: (object) => [
    ...scheduleFaults(object),
    ...restartFaults(objectAt(object, 'spec', 'jobTemplate', 'spec'), 'spec.jobTemplate.spec'),
  ],
};

function scheduleFaults(object: ApiObject): Cause[] {
  const causes: Cause[] = [];
  const schedule = stringAt(object, 'spec', 'schedule');
  const why = scheduleFault(schedule);
  if (schedule === '') causes.push(fieldRequired('spec.schedule'));
  else if (why !== undefined) causes.push(fieldInvalid('spec.schedule', schedule, why));
  const zone = objectAt(object, 'spec').timeZone;
  if (typeof zone === 'string' && !isTimeZone(zone))
    causes.push(fieldInvalid('spec.timeZone', zone, `unknown time zone ${zone}`));
  return causes;
}

function scheduleFault(schedule: string): string | undefined {
  if (DESCRIPTOR.test(schedule)) return undefined;
  const fields = schedule.split(/\s+/).filter((field) => field !== '');
  if (fields.length !== CRON_FIELDS)
    return `expected exactly ${CRON_FIELDS} fields, found ${fields.length}: [${fields.join(' ')}]`;
  const odd = fields.find((field) => !CRON_FIELD.test(field));
  return odd === undefined ? undefined : `failed to parse int from ${odd}`;
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    // Intl has no other way to ask.
    return false;
  }
}
