import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

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

/**
 * What was recorded against kube-apiserver, kube-controller-manager and kube-scheduler 1.36. The first scenario
 * installs the custom resource that the others use.
 */
export interface Recording {
  kubernetes: string;
  crd: { metadata: { name: string } };
  scenarios: Scenario[];
}

/** The recordings, by the custom resource that they use. */
export const RECORDINGS = ['widgets', 'gadgets', 'crates'] as const;

/** Reads a recording. */
export function loadRecording(name: (typeof RECORDINGS)[number]): Recording {
  const file = new URL(`../recordings/${name}.json.gz`, import.meta.url);
  return JSON.parse(gunzipSync(readFileSync(file)).toString('utf8')) as Recording;
}
