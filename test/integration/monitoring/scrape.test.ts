/** Monitors of the chart and the plain scrape configuration find the same, and take the same of it. */
import { expect, it } from 'vitest';
import { type ScrapeConfig, scrapeConfigs } from '../../../hack/monitoring/scrape-config.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { renderChart } from '../chart/support/chart.ts';

interface PodMonitor extends KubeObject {
  spec: {
    selector: { matchLabels: Record<string, string> };
    podTargetLabels: string[];
    sampleLimit: number;
    podMetricsEndpoints: { port: string; metricRelabelings: { regex: string; action: string }[] }[];
  };
}

interface Relabeling {
  regex?: string;
  action?: string;
  target_label?: string;
}

function ofJob(job: ScrapeConfig) {
  const relabelings = job.relabel_configs as Relabeling[];
  const [family] = job.metric_relabel_configs as Relabeling[];
  return {
    labels: job.kubernetes_sd_configs[0]?.selectors[0]?.label.split(',').sort(),
    port: relabelings.find(({ action }) => action === 'keep')?.regex,
    families: family?.regex,
    sampleLimit: job.sample_limit,
    copied: relabelings.flatMap(({ target_label: label }) => (label?.startsWith('vllm_') ? [label] : [])),
  };
}

function ofMonitor({ spec }: PodMonitor) {
  const [endpoint] = spec.podMetricsEndpoints;
  return {
    labels: Object.entries(spec.selector.matchLabels)
      .map(([name, value]) => `${name}=${value}`)
      .sort(),
    port: endpoint?.port,
    families: endpoint?.metricRelabelings[0]?.regex,
    sampleLimit: spec.sampleLimit,
    // As the Prometheus Operator names them.
    copied: spec.podTargetLabels.map((label) => label.replaceAll(/[^a-zA-Z0-9_]/g, '_')),
  };
}

it('PodMonitors are the jobs of the plain configuration', async () => {
  const objects = await renderChart({ metrics: { podMonitor: { enabled: true } } });
  const monitors = objects.filter((object): object is PodMonitor => object.kind === 'PodMonitor');
  const byPort = (a: { port?: string | undefined }, b: { port?: string | undefined }) =>
    String(a.port).localeCompare(String(b.port));
  expect(monitors.map(ofMonitor).sort(byPort)).toEqual(scrapeConfigs().slice(1).map(ofJob).sort(byPort));
});
