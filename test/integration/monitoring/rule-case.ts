/** What each rule has to make of some series. Values are in promtool's notation: `0+60x30`. */

/** An alert that fires, with its labels and what its summary and description say. */
export interface Fired {
  labels: Record<string, string>;
  summary: string;
  description: string;
}

export interface RuleCase {
  name: string;
  series: Record<string, string>;
  /** Between two samples, and between two evaluations of the rules. Default: a minute. */
  step?: '1m' | '10m' | '30m';
  /** When it is looked at, since the first sample. */
  at: string;
  /** By name: what fires, `[]` for nothing. */
  alerts?: Record<string, Fired[]>;
  /** Recorded series: by name, the values by labels, rounded to four digits. */
  values?: Record<string, Record<string, number>>;
}

export const TARGET = 'namespace="platform",vllm_operator_dev_pool="a100"';
export const OF_MODEL = `${TARGET},exported_namespace="team-a",model="chat"`;
export const MODEL_LABELS = {
  namespace: 'platform',
  vllm_operator_dev_pool: 'a100',
  exported_namespace: 'team-a',
  model: 'chat',
};
export const OPERATOR = 'namespace="vllm-operator-system",pod="operator-0"';
/** A pod of a team that says of itself what only the operator may say. */
export const IMPOSTOR = 'namespace="team-x",pod="engine-0"';
