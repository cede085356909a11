/** Traces of engines: of requests that the router traces, because it always says which, and of how they load. */
import type { EnvVar } from '../api/common.ts';
import type { InferencePoolSpec } from '../api/inference-pool.ts';
import { flagsIn } from '../vllm/extra-args.ts';
import { isBefore } from '../vllm/flag-facts.ts';
import type { EngineVersion } from '../vllm/versions.ts';
import { tracesUrl } from './traces-url.ts';

export const TRACES_FLAG = 'otlp-traces-endpoint';

/** The first version that installs OpenTelemetry with vLLM (vLLM #34466). Without it, vLLM with the flag does not start. */
const FIRST_VERSION = '0.17';

/** What an engine needs to know to export traces. */
export interface EngineTracing {
  url: string;
  service: string;
  namespace: string;
}

/** Undefined if the pool has no tracing, the version cannot, or `extraArgs` says where its traces go. */
export function engineTracing(
  tracing: InferencePoolSpec['tracing'],
  { name, namespace = 'default' }: { name: string; namespace?: string },
  version: EngineVersion,
  extraArgs: readonly string[],
): EngineTracing | undefined {
  if (tracing === undefined || isBefore(version, FIRST_VERSION)) return undefined;
  if (flagsIn(extraArgs, version).has(TRACES_FLAG)) return undefined;
  const { host, port, path } = tracesUrl(tracing);
  return { url: `http://${host}:${port}${path}`, service: name, namespace };
}

/** By default vLLM uses gRPC. */
export function tracingEnv({ service, namespace }: EngineTracing): EnvVar[] {
  return [
    { name: 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', value: 'http/protobuf' },
    { name: 'OTEL_SERVICE_NAME', value: service },
    {
      name: 'OTEL_RESOURCE_ATTRIBUTES',
      value: `service.namespace=${namespace},k8s.namespace.name=${namespace}`,
    },
  ];
}
