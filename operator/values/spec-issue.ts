import { printable } from './printable.ts';

/** A problem of an object that a user wrote, for conditions, events and the command line. */
export interface SpecIssue {
  /** Path of the field, such as `spec.engine.tensorParallelSize`. Names the pool if the field is in the pool. */
  field: string;
  /** The user's value, or the default. */
  value: unknown;
  /** Why it is invalid, as a sentence without a full stop. */
  reason: string;
  /** What to change, as an imperative without a full stop. */
  remedy: string;
}

/** One line for users: field, value, reason and remedy. */
export function describeIssue(issue: SpecIssue): string {
  const value = issue.value === undefined ? '' : ` ${JSON.stringify(issue.value)}`;
  return printable(`${issue.field}${value}: ${issue.reason}; ${issue.remedy}`);
}

/** Several issues as sentences for users. */
export function describeIssues(issues: readonly SpecIssue[]): string {
  return issues.map(describeIssue).join('. ');
}

/** A spec that passed the schema but is invalid. Contains all issues, not only the first. */
export class InvalidSpecError extends Error {
  readonly code = 'InvalidSpec';
  readonly issues: readonly SpecIssue[];

  constructor(issues: readonly SpecIssue[], options?: ErrorOptions) {
    super(describeIssues(issues), options);
    this.name = 'InvalidSpecError';
    this.issues = issues;
  }
}
