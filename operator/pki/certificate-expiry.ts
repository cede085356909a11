/** When the operator's own certificates expire, as a metric. */
import type { Registry } from 'prom-client';
import type { Clock } from '../kube/clock.ts';
import { scrapedGauge } from '../kube/metrics.ts';

/** The certificates of the operator: its CA, its client certificate for routers, and that of the external metrics API. */
type CertificateName = 'ca' | 'router-client' | 'metrics-api';

/** What tells the metric of one certificate. */
export interface CertificateExpiry {
  /** The certificate is about to be used, whether or not there is one. */
  wanted: () => void;
  /** There is a new one. */
  issued: (expiresAt: Date) => void;
}

/** A certificate is only renewed when it is used. One that nothing wants may end without harm, and is not shown. */
const UNUSED_MS = 24 * 60 * 60_000;

/** The metric of a certificate. Does nothing without a registry. */
export function certificateExpiry(
  registry: Registry | undefined,
  certificate: CertificateName,
  clock: Clock,
): CertificateExpiry {
  if (!registry) return { wanted: () => {}, issued: () => {} };
  const gauge = scrapedGauge(registry, {
    name: 'vllm_operator_certificate_expiry_timestamp_seconds',
    help: 'When the certificates that the operator uses expire.',
    labelNames: ['certificate'],
  });
  let wantedAt = clock.now();
  let expiresAt: Date | undefined;
  gauge.onScrape(() => {
    if (expiresAt && clock.now() - wantedAt < UNUSED_MS)
      gauge.set({ certificate }, expiresAt.getTime() / 1000);
    else gauge.remove({ certificate });
  });
  return {
    wanted: () => {
      wantedAt = clock.now();
    },
    issued: (end) => {
      expiresAt = end;
    },
  };
}
