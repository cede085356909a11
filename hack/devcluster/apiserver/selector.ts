import {
  type LabelPredicate,
  LabelSelectorError,
  parseLabelSelector as parseLabels,
} from '../../../operator/values/label-selector.ts';
import { badRequest } from './status-error.ts';

/** Parses a label selector as kubectl writes it. Throws BadRequest on a syntax error; empty selects all. */
export function parseLabelSelector(text: string): LabelPredicate {
  try {
    return parseLabels(text);
  } catch (error) {
    if (error instanceof LabelSelectorError)
      throw badRequest(`unable to parse requirement: ${error.message}`);
    throw error;
  }
}

/** A condition of a field selector. */
export interface FieldRequirement {
  field: string;
  value: string;
  negated: boolean;
}

/** Parses a field selector (`a=b,c!=d`). Throws BadRequest on a syntax error. */
export function parseFieldSelector(text: string): FieldRequirement[] {
  if (text.trim() === '') return [];
  return text.split(/(?<!\\),/).map((part) => {
    const parsed = /^([^=!]+)(==|!=|=)(.*)$/s.exec(part);
    if (!parsed) throw badRequest(`invalid field selector: ${JSON.stringify(text)}`);
    return {
      field: (parsed[1] ?? '').trim(),
      value: (parsed[3] ?? '').replaceAll(/\\([\\,=])/g, '$1'),
      negated: parsed[2] === '!=',
    };
  });
}
