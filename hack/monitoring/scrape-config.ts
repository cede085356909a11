/** The plain scrape configuration, for a Prometheus without the Prometheus Operator. It finds what the chart's monitors find. */

/** The families that routers and engines may bring. Any pod with the labels of an engine is scraped, whatever it says. */
export const FAMILIES = {
  router: 'vllm_router_.+',
  engine: 'vllm:.+|http_.+|process_.+|python_.+',
} as const;

/** Pod labels that become labels of targets. They are words of whoever made the pod; its namespace is not. */
const POD_LABELS = [
  'vllm-operator.dev/pool',
  'vllm-operator.dev/pool-namespace',
  'vllm-operator.dev/model',
] as const;

const MOST_SAMPLES = 50_000;

/** How the pods of a cluster are discovered. Tests add where its API server is. */
type Discovery = Record<string, unknown>;

/** The `scrape_configs` of Prometheus. */
export function scrapeConfigs(
  operatorNamespace = 'vllm-operator-system',
  discovery: Discovery = {},
): object[] {
  const named = (port: string) => ({
    source_labels: ['__meta_kubernetes_pod_container_port_name'],
    regex: port,
    action: 'keep',
  });
  const copy = (source: string, target: string) => ({ source_labels: [source], target_label: target });
  const identity = [
    copy('__meta_kubernetes_namespace', 'namespace'),
    copy('__meta_kubernetes_pod_name', 'pod'),
  ];
  const pods = (component: keyof typeof FAMILIES, port: string) => ({
    job_name: `vllm-${component}s`,
    sample_limit: MOST_SAMPLES,
    kubernetes_sd_configs: [
      {
        role: 'pod',
        selectors: [
          {
            role: 'pod',
            label: `app.kubernetes.io/managed-by=vllm-operator,app.kubernetes.io/component=${component}`,
          },
        ],
        ...discovery,
      },
    ],
    relabel_configs: [
      named(port),
      ...identity,
      ...POD_LABELS.map((label) => {
        const name = label.replace(/[^a-z]/g, '_');
        return copy(`__meta_kubernetes_pod_label_${name}`, name);
      }),
    ],
    metric_relabel_configs: [{ source_labels: ['__name__'], regex: FAMILIES[component], action: 'keep' }],
  });
  return [
    {
      job_name: 'vllm-operator',
      kubernetes_sd_configs: [
        {
          role: 'pod',
          namespaces: { names: [operatorNamespace] },
          selectors: [{ role: 'pod', label: 'app.kubernetes.io/name=vllm-operator' }],
          ...discovery,
        },
      ],
      relabel_configs: [named('http'), ...identity],
    },
    pods('router', 'metrics'),
    pods('engine', 'http'),
  ];
}
