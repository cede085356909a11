/** Cases of GPUs, models, pools and the operator. */
import { type Fired, IMPOSTOR, OPERATOR, type RuleCase, TARGET } from './rule-case.ts';

const ENGINE =
  'vllm:num_requests_running{namespace="team-a",pod="engine-0",vllm_operator_dev_model="chat",vllm_operator_dev_pool="a100",engine="0",model_name="x"}';
const dcgm = (labels: string, gpu = '0') => `DCGM_FI_DEV_GPU_UTIL{gpu="${gpu}",UUID="GPU-${gpu}",${labels}}`;
const OF_EXPORTER =
  'namespace="gpu-operator",pod="dcgm-0",exported_namespace="team-a",exported_pod="engine-0"';
const GPU_RATIO =
  '{namespace="team-a",pod="engine-0",vllm_operator_dev_model="chat",vllm_operator_dev_pool="a100"}';

const GPUS: RuleCase[] = [
  {
    name: 'GPUs of an engine have little to do',
    series: { [ENGINE]: '1x80', [dcgm(OF_EXPORTER)]: '30x80', [dcgm(OF_EXPORTER, '1')]: '50x80' },
    at: '70m',
    values: { 'pod:vllm_gpu_utilisation:ratio': { [GPU_RATIO]: 0.4 } },
    alerts: {
      VllmGpuUtilisationLow: [
        {
          labels: { namespace: 'team-a', vllm_operator_dev_model: 'chat' },
          summary: 'GPUs of model team-a/chat have little to do',
          description: 'Over 30 minutes they were used for 40% of the time.',
        },
      ],
    },
  },
  {
    name: 'the exporter is scraped with honor_labels, and GPUs of others do not count',
    series: {
      [ENGINE]: '1x80',
      [dcgm('namespace="team-a",pod="engine-0"')]: '80x80',
      [dcgm('namespace="research",pod="notebook"', '1')]: '0x80',
    },
    at: '70m',
    values: { 'pod:vllm_gpu_utilisation:ratio': { [GPU_RATIO]: 0.8 } },
    alerts: { VllmGpuUtilisationLow: [] },
  },
  {
    name: 'an engine that came ten minutes ago',
    series: { [ENGINE]: '_x60 1x20', [dcgm(OF_EXPORTER)]: '_x60 5x20' },
    at: '70m',
    alerts: { VllmGpuUtilisationLow: [] },
  },
];

const STALLED = `exported_namespace="team-a",model="chat",pool_namespace="platform",pool="a100",reason="EngineCrashed"`;

const MODELS: RuleCase[] = [
  {
    name: 'a model is stalled, and a team makes up another one',
    series: {
      [`vllm_operator_model_stalled{${OPERATOR},${STALLED}}`]: '1x20',
      [`vllm_operator_model_stalled{${IMPOSTOR},exported_namespace="team-b",model="y",reason="EngineCrashed"}`]:
        '1x20',
    },
    at: '10m',
    alerts: {
      VllmModelStalled: [
        {
          labels: {
            exported_namespace: 'team-a',
            model: 'chat',
            pool_namespace: 'platform',
            pool: 'a100',
            reason: 'EngineCrashed',
          },
          summary: 'Model team-a/chat needs somebody to act: EngineCrashed',
          description: 'The message of its condition Stalled has the remedy.',
        },
      ],
    },
  },
  {
    name: 'a model was stalled for a moment',
    series: { [`vllm_operator_model_stalled{${OPERATOR},${STALLED}}`]: '1 1 1 stale' },
    at: '10m',
    alerts: { VllmModelStalled: [] },
  },
  {
    name: 'a wake failed',
    series: {
      [`vllm_operator_wake_failures_total{${OPERATOR},reason="WakeTimeout"}`]: '0x10 2x20',
      [`vllm_operator_wake_failures_total{${OPERATOR},reason="Unschedulable"}`]: '3x30',
      [`vllm_operator_wake_failures_total{${IMPOSTOR},reason="EngineCrashed"}`]: '0+1x30',
    },
    at: '15m',
    alerts: {
      VllmWakeFailed: [
        {
          labels: { reason: 'WakeTimeout' },
          summary: 'Models did not wake: WakeTimeout',
          description: '2 wakes failed in the last ten minutes. Requests that waited were answered with 504.',
        },
      ],
    },
  },
  {
    name: 'a wake failed long ago',
    series: { [`vllm_operator_wake_failures_total{${OPERATOR},reason="WakeTimeout"}`]: '0x10 2x20' },
    at: '28m',
    alerts: { VllmWakeFailed: [] },
  },
];

const quota = (type: string) =>
  `vllm_operator_namespace_accelerators{${OPERATOR},exported_namespace="team-a",pool_namespace="platform",pool="a100",type="${type}"}`;
const budget = (type: string) =>
  `vllm_operator_pool_accelerators{${OPERATOR},exported_namespace="platform",pool="a100",type="${type}"}`;
const money = (namespace: string, type: string) =>
  `vllm_operator_namespace_budget{${OPERATOR},exported_namespace="${namespace}",pool_namespace="platform",pool="a100",type="${type}"}`;
const usedUp = (labels: Record<string, string>, percent: string): Fired => ({
  labels,
  summary: `Accelerators are used up: namespace ${labels.exported_namespace}, pool ${labels.pool}`,
  description: `${percent} of the quota or budget are in use or promised. Further models wait or are refused.`,
});

const QUOTAS: RuleCase[] = [
  {
    name: 'a namespace has promised all of its quota, and the pool uses all of its budget',
    series: {
      [quota('limit')]: '8x30',
      [quota('used')]: '2x30',
      [quota('charged')]: '8x30',
      [budget('limit')]: '16x30',
      [budget('used')]: '16x30',
    },
    at: '20m',
    alerts: {
      VllmQuotaExhausted: [
        usedUp({ exported_namespace: 'team-a', pool_namespace: 'platform', pool: 'a100' }, '100%'),
        usedUp({ exported_namespace: 'platform', pool: 'a100' }, '100%'),
      ],
    },
  },
  {
    name: 'a namespace has used most of its money, and another one has not',
    series: {
      [money('team-a', 'limit')]: '5000x30',
      [money('team-a', 'used')]: '4000+100x30',
      [money('team-b', 'limit')]: '800x30',
      [money('team-b', 'used')]: '80x30',
    },
    at: '6m',
    alerts: {
      VllmNamespaceBudgetUsed: [
        {
          labels: { exported_namespace: 'team-a', pool_namespace: 'platform', pool: 'a100' },
          summary: 'Namespace team-a has nearly used its budget of money in pool a100',
          description: '92% of the budget of the month are used. With action Stop its models stop at 100%.',
        },
      ],
    },
  },
  {
    name: 'a namespace has used little of its money',
    series: { [money('team-b', 'limit')]: '800x30', [money('team-b', 'used')]: '700x30' },
    at: '20m',
    alerts: { VllmNamespaceBudgetUsed: [] },
  },
  {
    name: 'there is room, and a pool without a budget',
    series: { [quota('limit')]: '8x30', [quota('used')]: '7x30', [budget('used')]: '16x30' },
    at: '20m',
    alerts: { VllmQuotaExhausted: [] },
  },
];

const version = (pod: string) => `vllm_router_route_table_version{${TARGET},pod="${pod}"}`;
const cacheReady = `vllm_operator_pool_condition{${OPERATOR},exported_namespace="platform",pool="a100",type="CacheReady"}`;
const breaker = `vllm_router_cache_breaker_total{${TARGET},pod="router-0",reason="failed"}`;
const redisGone: Fired[] = [
  {
    labels: { exported_namespace: 'platform', pool: 'a100' },
    summary: 'The response cache of pool platform/a100 is gone',
    description:
      'Its Redis is not ready or does not answer. Requests go to the engines instead, so GPUs have more to do.',
  },
];

const ROUTERS: RuleCase[] = [
  {
    name: 'a router has no table',
    series: { [version('router-0')]: '1700000000x10', [version('router-1')]: '0x10' },
    at: '5m',
    alerts: {
      VllmRouterWithoutRoutes: [
        {
          labels: { namespace: 'platform', vllm_operator_dev_pool: 'a100', pod: 'router-1' },
          summary: 'Router platform/router-1 has no route table of the operator',
          description: 'It knows no model, or only those of an old snapshot.',
        },
      ],
    },
  },
  {
    name: 'a router has just started',
    series: { [version('router-0')]: '0 1700000000x10' },
    at: '5m',
    alerts: { VllmRouterWithoutRoutes: [] },
  },
  {
    name: 'Redis is not ready',
    series: { [cacheReady]: '1 0x10', [breaker]: '0x10' },
    at: '9m',
    alerts: { VllmRedisGone: redisGone },
  },
  {
    name: 'Redis does not answer, although it is ready',
    series: { [cacheReady]: '1x10', [breaker]: '0+2x10' },
    at: '9m',
    alerts: { VllmRedisGone: redisGone },
  },
  {
    name: 'Redis is well',
    series: { [cacheReady]: '1x10', [breaker]: '3x10' },
    at: '9m',
    alerts: { VllmRedisGone: [] },
  },
];

const leads = (pod: string) =>
  `leader_election_master_status{namespace="vllm-operator-system",pod="${pod}",name="vllm-operator"}`;
const leaderless = (labels: Record<string, string>): Fired[] => [
  {
    labels,
    summary: 'No vllm-operator leads',
    description: 'Traffic flows on with the last routes, but no model wakes, scales or changes.',
  },
];
const expiry = (name: string) =>
  `vllm_operator_certificate_expiry_timestamp_seconds{${OPERATOR},certificate="${name}"}`;
const DAYS = (days: number) => `${days * 86_400}x10`;

const PLATFORM: RuleCase[] = [
  {
    name: 'no operator leads, and a team says that it does',
    series: {
      [leads('operator-0')]: '0x10',
      [leads('operator-1')]: '0x10',
      [`leader_election_master_status{${IMPOSTOR},name="vllm-operator"}`]: '1x10',
    },
    at: '5m',
    alerts: { VllmOperatorWithoutLeader: leaderless({}) },
  },
  {
    name: 'no operator is there',
    series: { [version('router-0')]: '5x10' },
    at: '5m',
    alerts: {
      VllmOperatorWithoutLeader: leaderless({ namespace: 'vllm-operator-system', name: 'vllm-operator' }),
    },
  },
  {
    name: 'the other operator has taken over',
    series: { [leads('operator-0')]: '1 1 0x10', [leads('operator-1')]: '0 0 0 1x10' },
    at: '5m',
    alerts: { VllmOperatorWithoutLeader: [] },
  },
  {
    name: 'certificates end soon',
    series: {
      [expiry('ca')]: DAYS(6),
      [expiry('router-client')]: DAYS(0.5),
      [`vllm_router_certificate_expiry_timestamp_seconds{${TARGET},pod="router-0"}`]: DAYS(5),
    },
    at: '5m',
    alerts: {
      VllmCertificateExpiring: [
        {
          labels: { namespace: 'vllm-operator-system', pod: 'operator-0', certificate: 'ca' },
          summary: 'A certificate of vllm-operator-system/operator-0 expires soon',
          description: 'It ends in 5d 23h 55m 0s and was not renewed.',
        },
        {
          labels: { namespace: 'vllm-operator-system', pod: 'operator-0', certificate: 'router-client' },
          summary: 'A certificate of vllm-operator-system/operator-0 expires soon',
          description: 'It ends in 11h 55m 0s and was not renewed.',
        },
        {
          labels: { namespace: 'platform', pod: 'router-0' },
          summary: 'A certificate of platform/router-0 expires soon',
          description: 'It ends in 4d 23h 55m 0s and was not renewed.',
        },
      ],
    },
  },
  {
    name: 'certificates are renewed in time',
    series: {
      [expiry('ca')]: DAYS(1000),
      [expiry('router-client')]: DAYS(2.4),
      [`vllm_router_certificate_expiry_timestamp_seconds{${TARGET},pod="router-0"}`]: DAYS(30),
    },
    at: '5m',
    alerts: { VllmCertificateExpiring: [] },
  },
];

export const PLATFORM_CASES: readonly RuleCase[] = [...GPUS, ...MODELS, ...QUOTAS, ...ROUTERS, ...PLATFORM];
