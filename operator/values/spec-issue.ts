/** What is wrong with an object a user wrote, in a form that conditions, events and the command line can show. */
export interface SpecIssue {
  /** Path of the field, such as `spec.engine.tensorParallelSize`; says so when it is the pool's. */
  field: string;
  /** What the user wrote, or what a default came to. */
  value: unknown;
  /** Why it cannot work, as a sentence without a full stop. */
  reason: string;
  /** What to change, as an imperative without a full stop. */
  remedy: string;
}

/** One line for people: field, value, reason and remedy. */
export function describeIssue(issue: SpecIssue): string {
  const value = issue.value === undefined ? '' : ` ${JSON.stringify(issue.value)}`;
  return `${issue.field}${value}: ${issue.reason}; ${issue.remedy}`;
}

/** Several issues as sentences for people. */
export function describeIssues(issues: readonly SpecIssue[]): string {
  return issues.map(describeIssue).join('. ');
}

/** A spec that passed the schema and still cannot be rendered. Carries every issue found, not only the first. */
export class InvalidSpecError extends Error {
  readonly code = 'InvalidSpec';
  readonly issues: readonly SpecIssue[];

  constructor(issues: readonly SpecIssue[], options?: ErrorOptions) {
    super(describeIssues(issues), options);
    this.name = 'InvalidSpecError';
    this.issues = issues;
  }
}
