/** Values as users have them, by what they want. */
import type { Values } from './chart.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

export const VALUE_SETS: Readonly<Record<string, Values>> = {
  default: {},
  'own-registry-and-digests': {
    global: {
      imageRegistry: 'registry.example.com/mirror',
      imagePullSecrets: [{ name: 'registry' }],
    },
    image: { digest: DIGEST },
    defaultImages: {
      router: `registry.example.com/mirror/vllm-operator/router@${DIGEST}`,
      redis: `registry.example.com/mirror/library/redis@${DIGEST}`,
    },
    imagePullSecrets: [{ name: 'registry' }, { name: 'other' }],
  },
  monitoring: {
    metrics: {
      service: { annotations: { 'prometheus.io/scrape': 'true' } },
      serviceMonitor: { enabled: true, labels: { release: 'prometheus' }, interval: '15s' },
      podMonitor: {
        enabled: true,
        namespace: 'monitoring',
        labels: { release: 'prometheus' },
        relabelings: [{ action: 'labeldrop', regex: 'endpoint' }],
        metricRelabelings: [{ action: 'drop', sourceLabels: ['__name__'], regex: 'vllm:.*_bucket' }],
      },
      prometheusRule: {
        enabled: true,
        namespace: 'monitoring',
        labels: { release: 'prometheus' },
        alertLabels: { team: 'platform' },
        disabled: ['VllmThroughputLow'],
        runbookUrl: 'https://runbooks.example.com/vllm/',
        thresholds: { latencyP99: 30, availability: 0.99 },
      },
      dashboards: { enabled: true, annotations: { grafana_folder: 'vLLM' } },
    },
  },
  policies: {
    policies: [
      {
        name: 'team-a',
        namespaceSelector: { matchLabels: { team: 'a' } },
        sources: ['hf://mistralai/', 'oci://registry.example.com/'],
        images: ['registry.example.com/'],
        accelerators: ['A100', 'H100'],
        pools: ['platform/a100'],
        denyExtraArgs: true,
      },
      { name: 'everywhere', actions: ['Warn', 'Audit'], sources: ['hf://'] },
    ],
  },
  'one-replica': { replicas: 1, externalMetrics: { enabled: false }, networkPolicy: { enabled: false } },
  openshift: {
    podSecurityContext: { runAsUser: null, runAsGroup: null, fsGroup: null },
    serviceAccount: { create: false, name: 'given' },
    rbac: { create: false, aggregate: false },
    crds: { enabled: false },
  },
  'all-overrides': {
    fullnameOverride: 'llm-operator',
    commonLabels: { team: 'platform', 'app.kubernetes.io/name': 'not-taken' },
    commonAnnotations: { owner: 'platform@example.com' },
    crds: { keep: false },
    rbac: { restrictedEndpoints: true },
    image: { registry: 'registry.example.com', repository: 'ours/operator', tag: 'v1', pullPolicy: 'Always' },
    logLevel: 'debug',
    extraArgs: ['--probe-host=0.0.0.0'],
    extraEnv: [{ name: 'NODE_OPTIONS', value: '--max-old-space-size=900' }],
    extraEnvFrom: [{ configMapRef: { name: 'proxy' } }],
    extraVolumes: [{ name: 'ca', configMap: { name: 'ca' } }],
    extraVolumeMounts: [{ name: 'ca', mountPath: '/etc/ssl/certs', readOnly: true }],
    resources: { limits: { memory: '2Gi' } },
    podLabels: { 'sidecar.istio.io/inject': 'false' },
    podAnnotations: { note: 'pod' },
    deploymentAnnotations: { note: 'deployment' },
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    tolerations: [{ key: 'infra', operator: 'Exists' }],
    affinity: { nodeAffinity: {} },
    priorityClassName: 'system-cluster-critical',
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'DoNotSchedule' },
    ],
    serviceAccount: { name: 'own', annotations: { 'example.com/role': 'operator' } },
    podDisruptionBudget: { maxUnavailable: '50%' },
    networkPolicy: {
      metricsFrom: [{ podSelector: {} }],
      egress: [{ ports: [{ protocol: 'TCP', port: 443 }] }],
    },
  },
};
