/** The alerts. Each has a page in docs/runbooks, named like the alert. */
import { errorRatio, POOL } from './recording-rules.ts';
import type { Alert, RuleContext } from './rule.ts';

type Severity = Alert['labels']['severity'];

interface Draft {
  alert: string;
  expr: string;
  for?: string;
  severity: Severity;
  summary: string;
  description: string;
}

const MODEL_NAME = '{{ $labels.exported_namespace }}/{{ $labels.model }}';
const POOL_NAME = '{{ $labels.namespace }}/{{ $labels.vllm_operator_dev_pool }}';
const DAY_SECONDS = 86_400;

/** The alerts with labels and annotations. */
export function alerts(context: RuleContext): Alert[] {
  return [
    ...serviceAlerts(context),
    ...burnRateAlerts(context),
    ...modelAlerts(context),
    ...platformAlerts(context),
  ].map(({ alert, expr, for: pending, severity, summary, description }) => ({
    alert,
    expr,
    ...(pending !== undefined && { for: context.duration(pending) }),
    labels: { severity },
    annotations: { summary, description, runbook_url: `${context.runbooks}${alert}.md` },
  }));
}

/** What clients notice. Latency leaves out the time that requests are held for a cold start, but not that in the queue. */
function serviceAlerts({ threshold, duration }: RuleContext): Draft[] {
  const latency = (quantile: 'P50' | 'P99', most: string): Draft => ({
    alert: `VllmLatency${quantile}High`,
    expr: `model:vllm_router_request_seconds:${quantile.toLowerCase()}_rate5m > ${most}`,
    for: '10m',
    severity: 'warning',
    summary: `Requests for ${MODEL_NAME} are slow`,
    description: `The ${quantile.toLowerCase()} of the latency, without cold starts, is {{ $value | humanizeDuration }}.`,
  });
  return [
    {
      alert: 'VllmThroughputLow',
      // Load is offered as long as requests wait for room all the time.
      expr: `pool:vllm_router_requests:rate5m < ${threshold('throughput')} and on (${POOL}) min_over_time(sum by (${POOL}) (vllm_router_queued)[${duration('5m')}:]) > 0`,
      for: '10m',
      severity: 'warning',
      summary: `Pool ${POOL_NAME} is slower than its target, while requests wait`,
      description: 'It answers {{ $value | humanize }} requests per second, and more wait in its queues.',
    },
    latency('P50', threshold('latencyP50')),
    latency('P99', threshold('latencyP99')),
    {
      alert: 'VllmModelDegraded',
      expr: `max by (exported_namespace, model, ${POOL}) (vllm_router_degradation_tier) > 0`,
      for: '15m',
      severity: 'warning',
      summary: `Model ${MODEL_NAME} limits requests because of its load`,
      description:
        'Tier {{ $value }} of its degradation is active: responses are shorter, long prompts are refused, or fewer requests run.',
    },
    {
      alert: 'VllmErrorRateHigh',
      expr: `${errorRatio('5m')} > ${threshold('errorRatio')}`,
      for: '5m',
      severity: 'warning',
      summary: `Requests for ${MODEL_NAME} fail`,
      description: '{{ $value | humanizePercentage }} of the answers are 5xx.',
    },
    {
      alert: 'VllmGpuUtilisationLow',
      // Engines that were there all the time: one that loads its weights has nothing to do yet.
      expr: `avg by (namespace, vllm_operator_dev_model) (avg_over_time(pod:vllm_gpu_utilisation:ratio[${duration('30m')}]) and on (namespace, pod) pod:vllm_gpu_utilisation:ratio offset ${duration('30m')}) < ${threshold('gpuUtilisation')}`,
      severity: 'info',
      summary:
        'GPUs of model {{ $labels.namespace }}/{{ $labels.vllm_operator_dev_model }} have little to do',
      description: 'Over 30 minutes they were used for {{ $value | humanizePercentage }} of the time.',
    },
  ];
}

/**
 * The error budget of each model is used up faster than planned. Windows and factors are those of the SRE workbook (chapter
 * "Alerting on SLOs"): 2 % of a month's budget in one hour, 5 % in six, 10 % in a day or in three.
 */
function burnRateAlerts({ threshold }: RuleContext): Draft[] {
  const budget = `(1 - ${threshold('availability')})`;
  const burns = (factor: number, long: string, short: string) =>
    `(${long} > ${factor} * ${budget} and ${short} > ${factor} * ${budget})`;
  const description =
    'Of its answers, {{ $value | humanizePercentage }} are 5xx. Its error budget of a month will not last.';
  return [
    {
      alert: 'VllmErrorBudgetBurnsFast',
      expr: `${burns(14.4, errorRatio('1h'), errorRatio('5m'))} or ${burns(6, errorRatio('6h'), errorRatio('30m'))}`,
      for: '2m',
      severity: 'critical',
      summary: `Model ${MODEL_NAME} fails often enough to use up its error budget in days`,
      description,
    },
    {
      alert: 'VllmErrorBudgetBurnsSlowly',
      expr: `${burns(3, errorRatio('1d'), errorRatio('2h'))} or ${burns(1, errorRatio('3d'), errorRatio('6h'))}`,
      for: '1h',
      severity: 'warning',
      summary: `Model ${MODEL_NAME} fails more often than its error budget allows`,
      description,
    },
  ];
}

function modelAlerts({ operatorNamespace, threshold, duration }: RuleContext): Draft[] {
  const ours = `namespace="${operatorNamespace}"`;
  const exhausted = (metric: string, labels: string) => {
    const most = `max by (${labels}) (${metric}{${ours},type=~"used|charged"})`;
    return `${most} / max by (${labels}) (${metric}{${ours},type="limit"}) >= ${threshold('quotaRatio')}`;
  };
  const spent = (type: string) =>
    `max by (exported_namespace, pool_namespace, pool) (vllm_operator_namespace_budget{${ours},type="${type}"})`;
  return [
    {
      alert: 'VllmModelStalled',
      expr: `max by (exported_namespace, model, pool_namespace, pool, reason) (vllm_operator_model_stalled{${ours}}) > 0`,
      for: '5m',
      severity: 'warning',
      summary: `Model ${MODEL_NAME} needs somebody to act: {{ $labels.reason }}`,
      description: 'The message of its condition Stalled has the remedy.',
    },
    {
      alert: 'VllmWakeFailed',
      expr: `sum by (reason) (increase(vllm_operator_wake_failures_total{${ours}}[${duration('10m')}])) > 0`,
      severity: 'warning',
      summary: 'Models did not wake: {{ $labels.reason }}',
      description:
        '{{ $value | humanize }} wakes failed in the last ten minutes. Requests that waited were answered with 504.',
    },
    {
      alert: 'VllmQuotaExhausted',
      expr: `${exhausted('vllm_operator_namespace_accelerators', 'exported_namespace, pool_namespace, pool')} or ${exhausted('vllm_operator_pool_accelerators', 'exported_namespace, pool')}`,
      for: '15m',
      severity: 'info',
      summary:
        'Accelerators are used up: namespace {{ $labels.exported_namespace }}, pool {{ $labels.pool }}',
      description:
        '{{ $value | humanizePercentage }} of the quota or budget are in use or promised. Further models wait or are refused.',
    },
    {
      alert: 'VllmNamespaceBudgetUsed',
      expr: `${spent('used')} / ${spent('limit')} >= ${threshold('spentRatio')}`,
      severity: 'warning',
      summary:
        'Namespace {{ $labels.exported_namespace }} has nearly used its budget of money in pool {{ $labels.pool }}',
      description:
        '{{ $value | humanizePercentage }} of the budget of the month are used. With action Stop its models stop at 100%.',
    },
  ];
}

function platformAlerts({ operatorNamespace, threshold, duration }: RuleContext): Draft[] {
  const ours = `namespace="${operatorNamespace}"`;
  const leads = `leader_election_master_status{${ours},name="vllm-operator"}`;
  const left = (series: string) => `min by (namespace, pod, certificate) (${series} - time())`;
  const expiry = (selector: string) =>
    `vllm_operator_certificate_expiry_timestamp_seconds{${ours},${selector}}`;
  const days = `${threshold('certificateDays')} * ${DAY_SECONDS}`;
  const failing = `label_replace(label_replace(increase(vllm_router_cache_breaker_total[${duration('5m')}]), "pool", "$1", "vllm_operator_dev_pool", "(.*)"), "exported_namespace", "$1", "namespace", "(.*)")`;
  return [
    {
      alert: 'VllmRouterWithoutRoutes',
      expr: 'vllm_router_route_table_version == 0',
      for: '2m',
      severity: 'critical',
      summary: 'Router {{ $labels.namespace }}/{{ $labels.pod }} has no route table of the operator',
      description: 'It knows no model, or only those of an old snapshot.',
    },
    {
      alert: 'VllmRedisGone',
      expr: `max by (exported_namespace, pool) (vllm_operator_pool_condition{${ours},type="CacheReady"} == bool 0 or ${failing}) > 0`,
      for: '5m',
      severity: 'warning',
      summary: 'The response cache of pool {{ $labels.exported_namespace }}/{{ $labels.pool }} is gone',
      description:
        'Its Redis is not ready or does not answer. Requests go to the engines instead, so GPUs have more to do.',
    },
    {
      alert: 'VllmOperatorWithoutLeader',
      expr: `max(${leads}) == 0 or absent(${leads})`,
      for: '2m',
      severity: 'critical',
      summary: 'No vllm-operator leads',
      description: 'Traffic flows on with the last routes, but no model wakes, scales or changes.',
    },
    {
      alert: 'VllmCertificateExpiring',
      // The operator renews its own leaves, which live for seven days, when two days and a third are left.
      expr: `${left(expiry('certificate="ca"'))} < ${days} or ${left(expiry('certificate!="ca"'))} < ${DAY_SECONDS} or ${left('vllm_router_certificate_expiry_timestamp_seconds')} < ${days}`,
      severity: 'critical',
      summary: 'A certificate of {{ $labels.namespace }}/{{ $labels.pod }} expires soon',
      description: 'It ends in {{ $value | humanizeDuration }} and was not renewed.',
    },
  ];
}
