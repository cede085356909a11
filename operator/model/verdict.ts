import type { SpecIssue } from '../values/spec-issue.ts';

/** The decision of a pool about one model. */
export type Verdict =
  | { accepted: true }
  | {
      accepted: false;
      reason: 'NamespaceNotAllowed' | 'ServedNameConflict' | 'QuotaExceeded';
      issue: SpecIssue;
    };
