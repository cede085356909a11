/** The thresholds of alerts. Users set them as `metrics.prometheusRule.thresholds` of the chart, where each is explained. */
export const THRESHOLDS = {
  throughput: 500,
  latencyP50: 0.5,
  latencyP99: 2,
  errorRatio: 0.01,
  gpuUtilisation: 0.5,
  availability: 0.999,
  certificateDays: 7,
  quotaRatio: 1,
  spentRatio: 0.9,
} as const;

export type Threshold = keyof typeof THRESHOLDS;
