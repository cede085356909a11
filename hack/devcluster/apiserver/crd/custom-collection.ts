import type { ApiObject } from '../api-object.ts';
import { stringAt } from '../json.ts';

/** Name of the collection of a CustomResourceDefinition. */
export function customCollection(definition: ApiObject): string {
  return `${stringAt(definition, 'spec', 'group')}/${stringAt(definition, 'spec', 'names', 'plural')}`;
}
