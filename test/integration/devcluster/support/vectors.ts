import { readFileSync } from 'node:fs';

/** A request as it was recorded; `$NS` and placeholders are filled in before it is sent. */
export interface RecordedRequest {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: unknown;
}

/** What a real kube-apiserver answered. */
export interface RecordedResponse {
  status: number;
  warning?: string;
  body?: unknown;
}

/** One step of a scenario: exactly one of `setup`, `request`, `watch`, `poll`, `waitMs` is there. */
export interface Step {
  note?: string;
  waitMs?: number;
  setup?: RecordedRequest;
  bind?: unknown;
  request?: RecordedRequest;
  poll?: RecordedRequest & { until: string };
  watch?: { path: string };
  during?: Step[];
  response?: RecordedResponse & { events?: unknown[] };
}

/** Steps in one namespace, in order. */
export interface Scenario {
  name: string;
  steps: Step[];
}

/** Everything recorded against kube-apiserver, kube-controller-manager and kube-scheduler 1.36. */
export interface Vectors {
  kubernetes: string;
  crd: { metadata: { name: string } };
  scenarios: Scenario[];
}

/** Reads the recording. */
export function loadVectors(): Vectors {
  const file = new URL('../kube-1.36.vectors.json', import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as Vectors;
}
