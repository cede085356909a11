/** Rules of Prometheus: recording rules and alerts, for a file, for the chart, and for tests. */
import { alerts } from './alerts.ts';
import { recordingRules } from './recording-rules.ts';
import type { RuleContext, RuleGroup } from './rule.ts';
import { THRESHOLDS } from './thresholds.ts';

/** The rules for an operator in the usual namespace, with the usual thresholds. */
export const USUAL: RuleContext = {
  operatorNamespace: 'vllm-operator-system',
  threshold: (name) => String(THRESHOLDS[name]),
  duration: (text) => text,
  runbooks: 'https://github.com/vllm-operator/vllm-operator/blob/main/docs/runbooks/',
};

/** All groups. Alerts use what the recording rules record. */
export function ruleGroups(context: RuleContext = USUAL): RuleGroup[] {
  return [
    { name: 'vllm-operator.records', rules: recordingRules(context) },
    { name: 'vllm-operator.alerts', rules: alerts(context) },
  ];
}
