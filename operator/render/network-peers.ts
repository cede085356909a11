/** Peers of NetworkPolicies. */
import type { Labels } from './labels.ts';
import { METRICS_SCRAPER_LABEL } from './labels.ts';

/** Pods with these labels in one namespace. */
export function podsIn(namespace: string, labels: Labels): object {
  return {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
    podSelector: { matchLabels: labels },
  };
}

/** All pods in namespaces that are labelled as monitoring. */
export const METRICS_SCRAPERS = {
  namespaceSelector: { matchLabels: { [METRICS_SCRAPER_LABEL]: 'true' } },
} as const;

/** TCP ports of a rule. */
export function tcp(...ports: number[]): object[] {
  return ports.map((port) => ({ protocol: 'TCP', port }));
}
