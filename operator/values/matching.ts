/** Strings of a certain form. */
import type { z } from 'zod';
import { type RuleIssueParams, withRules } from './rule.ts';

/**
 * Adds a pattern as a rule with a remedy. The API server checks `pattern` of the generated schema as well, but its message
 * only repeats the pattern.
 */
export function matching(schema: z.ZodString, pattern: RegExp, message: RuleIssueParams): z.ZodString {
  const source = pattern.source.replaceAll('\\/', '/');
  return withRules(schema.meta({ pattern: source }), [
    { rule: patternRule(source), ...message, holds: (text) => pattern.test(text) },
  ]);
}

/** The pattern as CEL. */
export function patternRule(pattern: string): string {
  return `self.matches('${pattern.replaceAll('\\', '\\\\')}')`;
}
