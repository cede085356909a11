/** Who may reach a pod, as peers of a NetworkPolicy. */
import type { Labels } from './labels.ts';
import { METRICS_SCRAPER_LABEL } from './labels.ts';

/** Pods with some labels in one namespace. */
export function podsIn(namespace: string, labels: Labels): object {
  return {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
    podSelector: { matchLabels: labels },
  };
}

/** Every pod of the namespaces that are marked as monitoring. */
export const METRICS_SCRAPERS = {
  namespaceSelector: { matchLabels: { [METRICS_SCRAPER_LABEL]: 'true' } },
} as const;

/** Ports of a rule, TCP. */
export function tcp(...ports: number[]): object[] {
  return ports.map((port) => ({ protocol: 'TCP', port }));
}
