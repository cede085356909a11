import { isObject, numberAt, objectAt, setDefault, stringAt } from '../json.ts';
import { fieldInvalid } from '../object-meta.ts';
import type { Behaviour } from '../resource.ts';
import type { Cause } from '../status-error.ts';

const HTTPS = 443;
const MAX_GROUP_PRIORITY = 20_000;
const MAX_VERSION_PRIORITY = 1000;

/** APIServices. */
export const API_SERVICES: Behaviour = {
  default(object) {
    const { service } = objectAt(object, 'spec');
    if (isObject(service)) setDefault(service, 'port', HTTPS);
  },
  validate(object) {
    const causes: Cause[] = [];
    const spec = objectAt(object, 'spec');
    const { name } = object.metadata;
    const wanted = `${stringAt(spec, 'version')}.${stringAt(spec, 'group')}`;
    if (name !== wanted) {
      const why = `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(wanted)}`;
      causes.push(fieldInvalid('metadata.name', name, why));
    }
    const priority = (field: string, limit: number): void => {
      const value = numberAt(spec, field) ?? 0;
      if (value <= 0 || value > limit)
        causes.push(fieldInvalid(`spec.${field}`, value, `must be positive and less than ${limit}`));
    };
    priority('groupPriorityMinimum', MAX_GROUP_PRIORITY);
    priority('versionPriority', MAX_VERSION_PRIORITY);
    if (isObject(spec.service) && spec.insecureSkipTLSVerify === true && stringAt(spec, 'caBundle') !== '') {
      const why = 'may not be true if caBundle is present';
      causes.push(fieldInvalid('spec.insecureSkipTLSVerify', true, why));
    }
    return causes;
  },
};
