/** Cross-field rules, each written as CEL for the API server and as a predicate for the command line. */
import type { z } from 'zod';

/** A rule on one value of the schema. A test proves that `rule` and `holds` agree. */
export interface Rule<T> {
  /** CEL over `self`, which the API server evaluates after defaulting. */
  rule: string;
  /** What is invalid. */
  problem: string;
  /** The remedy. */
  remedy: string;
  /** CEL for a message that contains the offending value. Falls back to problem and remedy. */
  messageExpression?: string;
  /** Path below the value at which the error is reported, such as `.maxReplicas`. */
  fieldPath?: string;
  reason?: RuleReason;
  holds: (self: T) => boolean;
  /** The result of the message expression for a value that breaks the rule. */
  explain?: (self: T) => RuleIssueParams;
}

/** A rule on a change: CEL over `self` and `oldSelf`. Only the API server can check it, because it has both. */
export type TransitionRule = Omit<Rule<never>, 'holds' | 'explain'>;

/**
 * Reasons that a CustomResourceDefinition allows for a rule. Without FieldValueDuplicate, which the API server prints
 * without the message.
 */
export type RuleReason = 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired';

/** An item of `x-kubernetes-validations`. */
export interface ValidationRule {
  rule: string;
  message: string;
  messageExpression?: string;
  fieldPath?: string;
  reason: RuleReason;
}

/** Content of `params` in the zod issue of a failed rule. */
export interface RuleIssueParams {
  problem: string;
  remedy: string;
}

/** Adds rules to those of a schema: zod checks the predicates, and the generated schema contains the CEL. */
export function withRules<S extends z.ZodType>(
  schema: S,
  rules: readonly Rule<z.output<S>>[],
  transitions: readonly TransitionRule[] = [],
): S {
  const refined = schema.superRefine((value, context) => {
    for (const rule of rules) {
      if (rule.holds(value)) continue;
      const { problem, remedy } = rule.explain?.(value) ?? rule;
      const params: RuleIssueParams = { problem, remedy };
      context.addIssue({ code: 'custom', path: segments(rule.fieldPath), message: message(params), params });
    }
  });
  const { 'x-kubernetes-validations': before = [], ...meta } = schema.meta() ?? {};
  const added = [...rules, ...transitions].map(validationRule);
  return refined.meta({ ...meta, 'x-kubernetes-validations': [...(before as ValidationRule[]), ...added] });
}

function validationRule(rule: TransitionRule): ValidationRule {
  return {
    rule: rule.rule,
    message: message(rule),
    ...(rule.messageExpression === undefined ? {} : { messageExpression: rule.messageExpression }),
    ...(rule.fieldPath === undefined ? {} : { fieldPath: rule.fieldPath }),
    reason: rule.reason ?? 'FieldValueInvalid',
  };
}

function message(rule: RuleIssueParams): string {
  return `${rule.problem}: ${rule.remedy}`;
}

function segments(fieldPath: string | undefined): string[] {
  return fieldPath === undefined ? [] : fieldPath.split('.').filter((part) => part !== '');
}
