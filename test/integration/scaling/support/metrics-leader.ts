/** A process that leads and serves external metrics to an API server. */
import type { KubeClient } from '../../../../operator/kube/client.ts';
import {
  ExternalMetricsApi,
  type ExternalMetricsApiOptions,
} from '../../../../operator/metrics-api/external-metrics-api.ts';
import { metricsDnsNames } from '../../../../operator/metrics-api/leader-endpoint.ts';
import type { MetricSample } from '../../../../operator/metrics-api/metric-values.ts';
import { type Authority, issueServingCertificate, trustBundle } from '../../../../operator/pki/pki.ts';
import { fastClock } from '../../../unit/kube/support/fake-clock.ts';
import { closeAfterTest } from './metrics-api.ts';

/** It ends with the test, or by what `stop` does. Its time runs a hundred times as fast. */
export async function startMetricsLeader(options: {
  client: KubeClient;
  namespace: string;
  /** Where it listens, and where the API server reaches it. Default 127.0.0.1. */
  address?: string | undefined;
  authority: Authority;
  /** Of every namespace; may be changed at any time. */
  samples: MetricSample[];
  more?: Partial<ExternalMetricsApiOptions>;
}): Promise<{ metricsApi: ExternalMetricsApi; stop: () => Promise<void> }> {
  const { client, namespace, address = '127.0.0.1', authority, samples, more } = options;
  const names = { dnsNames: metricsDnsNames(namespace) };
  const certificate = await issueServingCertificate(authority, names, { now: new Date() });
  const metricsApi = new ExternalMetricsApi({
    client,
    reviews: client,
    namespace,
    address,
    host: address,
    port: 0,
    source: () => samples,
    certificate: async () => certificate,
    trustBundle: async () => trustBundle(authority),
    clock: fastClock(100),
    ...more,
  });
  const end = new AbortController();
  const running = metricsApi.run(end.signal);
  const stop = async () => {
    end.abort();
    await running;
  };
  closeAfterTest(stop);
  return { metricsApi, stop };
}

/** Whether the API server has found the metrics API available. */
export function isAvailable(metricsApi: ExternalMetricsApi): boolean {
  const state = metricsApi.state();
  return state.owner === 'ours' && state.available === true;
}
