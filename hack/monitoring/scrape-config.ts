/** The plain scrape configuration, for a Prometheus without the Prometheus Operator. It finds what the chart's monitors find. */
import { USUAL } from './rules.ts';

/** A job of Prometheus that finds its targets among the pods of a cluster. */
export interface ScrapeConfig {
  job_name: string;
  kubernetes_sd_configs: { selectors: { role: string; label: string }[]; [setting: string]: unknown }[];
  [setting: string]: unknown;
}

/** The families that routers and engines may bring. Any pod with the labels of an engine is scraped, whatever it says. */
const FAMILIES = {
  router: 'vllm_router_.+',
  engine: 'vllm:.+|http_.+|process_.+|python_.+',
} as const;

/** Pod labels that become labels of targets. Whoever creates the pod chooses them, but not its namespace. */
const POD_LABELS = ['vllm-operator.dev/pool', 'vllm-operator.dev/pool-namespace', 'vllm-operator.dev/model'];

const MAX_SAMPLES = 50_000;

const copy = (source: string, target: string) => ({ source_labels: [source], target_label: target });
const IDENTITY = [
  copy('__meta_kubernetes_namespace', 'namespace'),
  copy('__meta_kubernetes_pod_name', 'pod'),
];

/** The `scrape_configs` of Prometheus, for an operator in the usual namespace. */
export function scrapeConfigs(): ScrapeConfig[] {
  return [
    {
      job_name: 'vllm-operator',
      kubernetes_sd_configs: [
        {
          role: 'pod',
          namespaces: { names: [USUAL.operatorNamespace] },
          selectors: [{ role: 'pod', label: 'app.kubernetes.io/name=vllm-operator' }],
        },
      ],
      relabel_configs: [portNamed('http'), ...IDENTITY],
    },
    podsOf('router', 'metrics'),
    podsOf('engine', 'http'),
  ];
}

function portNamed(regex: string): object {
  return { source_labels: ['__meta_kubernetes_pod_container_port_name'], regex, action: 'keep' };
}

function podsOf(component: keyof typeof FAMILIES, port: string): ScrapeConfig {
  const label = `app.kubernetes.io/managed-by=vllm-operator,app.kubernetes.io/component=${component}`;
  const copies = POD_LABELS.map((name) => {
    const target = name.replaceAll(/[^a-z]/g, '_');
    return copy(`__meta_kubernetes_pod_label_${target}`, target);
  });
  return {
    job_name: `vllm-${component}s`,
    sample_limit: MAX_SAMPLES,
    kubernetes_sd_configs: [{ role: 'pod', selectors: [{ role: 'pod', label }] }],
    relabel_configs: [portNamed(port), ...IDENTITY, ...copies],
    metric_relabel_configs: [{ source_labels: ['__name__'], regex: FAMILIES[component], action: 'keep' }],
  };
}
