import { describe, expect, it } from 'vitest';
import { renderFlags } from '../../../operator/model/engine-args.ts';
import { engineEnv } from '../../../operator/model/engine-env.ts';
import { model, pool } from '../render/support/objects.ts';
import { llama } from './support/engine.ts';
import { merged } from './support/resolve.ts';

type Tracing = NonNullable<NonNullable<Parameters<typeof pool>[1]>['tracing']>;

const tracing: Tracing = { endpoint: 'http://collector.observability:4318' };
const traced = (engine: object = {}, more: Partial<Tracing> = {}) => {
  const spec = model(llama, { engine });
  const result = merged(pool('A100', { tracing: { ...tracing, ...more } }), spec);
  return {
    flags: renderFlags(result).filter((flag) => flag.includes('otlp')),
    env: Object.fromEntries(
      engineEnv(result, spec.spec)
        .filter(({ name }) => name.startsWith('OTEL_'))
        .map(({ name, value }) => [name, value]),
    ),
  };
};

describe('traces of engines', () => {
  it('go to the collector of the pool over HTTP', () => {
    const { flags, env } = traced();
    expect(flags).toEqual(['--otlp-traces-endpoint=http://collector.observability:4318/v1/traces']);
    expect(env).toEqual({
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/protobuf',
      OTEL_SERVICE_NAME: 'assistant',
      OTEL_RESOURCE_ATTRIBUTES: 'service.namespace=team-a,k8s.namespace.name=team-a',
    });
  });

  it.each([
    ['http://c:4318/', 'http://c:4318/v1/traces'],
    ['http://c:80/otlp/v1/traces', 'http://c:80/otlp/v1/traces'],
    ['http://[fd00::1]:65535', 'http://[fd00::1]:65535/v1/traces'],
    ['http://10.0.0.999:1', 'http://10.0.0.999:1/v1/traces'],
  ])('the endpoint %s is %s', (endpoint, url) => {
    expect(traced({}, { endpoint }).flags).toEqual([`--otlp-traces-endpoint=${url}`]);
  });

  it('are not asked of versions that come without OpenTelemetry, which would not start', () => {
    expect(traced({ version: 'v0.16.0', image: 'vllm/vllm-openai:v0.16.0' })).toEqual({ flags: [], env: {} });
    expect(traced({ version: 'v0.17.0', image: 'vllm/vllm-openai:v0.17.0' }).flags).toHaveLength(1);
  });

  it('go where extraArgs and env say, if they say so', () => {
    const { flags, env } = traced({ extraArgs: ['--otlp-traces-endpoint=grpc://other:4317'] });
    expect(flags).toEqual(['--otlp-traces-endpoint=grpc://other:4317']);
    expect(env).toEqual({});
    const own = [{ name: 'OTEL_SERVICE_NAME', value: 'mine' }];
    expect(traced({ env: own }).env).toMatchObject({ OTEL_SERVICE_NAME: 'mine' });
  });

  it('do not depend on the share of requests that are traced', () => {
    expect(traced({}, { samplingPercent: '50' })).toEqual(traced());
  });
});
