/** The `vllm serve` flags that have a setting of their own, or that the operator sets: `extraArgs` may not repeat them. */
import type { RuleIssueParams } from '../values/rule.ts';
import { spellings } from './flag.ts';
import { FLAGS } from './flag-table.ts';

/** What is wrong with each such flag in `extraArgs`. Keys are flags with dashes, as `flagName` gives them. */
export const TYPED_FLAGS: ReadonlyMap<string, RuleIssueParams> = new Map(
  FLAGS.flatMap((flag) => spellings(flag).flatMap((spelling) => issueOf(spelling, flag))),
);

function issueOf(spelling: string, { field, reserved }: (typeof FLAGS)[number]): [string, RuleIssueParams][] {
  if (field !== undefined) {
    const place = field.startsWith('model.') ? `spec.${field} of the InferenceModel` : field;
    return [[spelling, { problem: `${spelling} repeats a typed setting`, remedy: `set ${place} instead` }]];
  }
  if (reserved === undefined) return [];
  return [[spelling, { problem: `${spelling} is set by the operator`, remedy: 'remove it' }]];
}

/** The flag of one argument: without its value, without the field of a dotted JSON flag, dashes for underscores (vLLM takes both). */
export function flagName(argument: string): string {
  return argument.replaceAll('_', '-').replaceAll('.', '=').split('=')[0] ?? '';
}
