/** The forms of a rule of Prometheus, and what rules depend on. */
import type { Threshold } from './thresholds.ts';

/** What differs between the places where the rules are used. */
export interface RuleContext {
  /** Namespace of the operator. Only its series about models and pools are used: another namespace could export false ones. */
  operatorNamespace: string;
  /** The value of a threshold, as PromQL. */
  threshold: (name: Threshold) => string;
  /** A duration of the rules, such as `5m`. Tests shorten them. */
  duration: (text: string) => string;
  /** Where the runbooks are, with a slash at the end. */
  runbooks: string;
}

export interface RecordingRule {
  record: string;
  expr: string;
}

export interface Alert {
  alert: string;
  expr: string;
  for?: string;
  labels: { severity: 'critical' | 'warning' | 'info' };
  annotations: { summary: string; description: string; runbook_url: string };
}

export interface RuleGroup {
  name: string;
  rules: (RecordingRule | Alert)[];
}
