import { isObject, numberAt, objectAt, setDefault, stringAt } from '../json.ts';
import type { Behaviour } from '../resource.ts';

const HTTPS = 443;
const LIMITS = [
  ['groupPriorityMinimum', 20_000],
  ['versionPriority', 1000],
] as const;

/** APIServices. */
export const API_SERVICES: Behaviour = {
  default(object) {
    const { service } = objectAt(object, 'spec');
    if (isObject(service)) setDefault(service, 'port', HTTPS);
  },
  validate(faults, object) {
    const spec = objectAt(object, 'spec');
    const { name } = object.metadata;
    const wanted = `${stringAt(spec, 'version')}.${stringAt(spec, 'group')}`;
    if (name !== wanted) {
      const why = `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(wanted)}`;
      faults.invalid('metadata.name', name, why);
    }
    for (const [field, limit] of LIMITS) {
      const value = numberAt(spec, field) ?? 0;
      if (value <= 0 || value > limit)
        faults.invalid(`spec.${field}`, value, `must be positive and less than ${limit}`);
    }
    if (isObject(spec.service) && spec.insecureSkipTLSVerify === true && stringAt(spec, 'caBundle') !== '')
      faults.invalid('spec.insecureSkipTLSVerify', true, 'may not be true if caBundle is present');
  },
};
