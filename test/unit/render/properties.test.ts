/** What holds for every pool, model and engine version. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ZodError } from 'zod';
import { renderFlags } from '../../../operator/model/engine-args.ts';
import { planMemory } from '../../../operator/model/memory-plan.ts';
import type { Manifest } from '../../../operator/render/manifest.ts';
import { renderModel } from '../../../operator/render/model.ts';
import {
  engineName,
  labelValue,
  modelCacheName,
  redisName,
  routerName,
} from '../../../operator/render/names.ts';
import { renderPool } from '../../../operator/render/pool.ts';
import { InvalidSpecError } from '../../../operator/values/spec-issue.ts';
import { ACCELERATOR_PRODUCTS } from '../../../operator/vllm/accelerators.ts';
import { hasFlag } from '../../../operator/vllm/flag-facts.ts';
import { FLAGS } from '../../../operator/vllm/flag-table.ts';
import { matchFlag } from '../../../operator/vllm/flags.ts';
import { parseVersion } from '../../../operator/vllm/versions.ts';
import { merged, resolved } from '../model/support/resolve.ts';
import { model, pool } from './support/objects.ts';

const SOURCES = [
  'hf://meta-llama/Llama-3.1-8B-Instruct',
  'hf://Qwen/Qwen2.5-0.5B',
  'hf://deepseek-ai/DeepSeek-V3',
  'hf://openai/gpt-oss-120b',
  'hf://acme/secret-sauce',
  's3://bucket/model',
  'pvc://claim/model',
  'oci://registry/model:1',
];

const optional = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined, freq: 1 });
/** Set in one of six, where most values are refused. */
const rarely = <T>(values: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: values });
const parallel = rarely(fc.constantFrom(1, 2, 3, 4, 8));

const engines = fc.record(
  {
    version: optional(fc.integer({ min: 11, max: 33 }).map((minor) => `0.${minor}.${minor === 11 ? 1 : 0}`)),
    tensorParallelSize: parallel,
    pipelineParallelSize: parallel,
    dataParallelSize: parallel,
    expertParallel: rarely(fc.boolean()),
    dtype: optional(fc.constantFrom('auto' as const, 'half' as const, 'bfloat16' as const)),
    quantization: rarely(fc.constantFrom('fp8', 'awq', 'gguf', 'modelopt', 'mxfp4')),
    maxModelLen: rarely(fc.constantFrom<(number | 'auto')[]>(1024, 32768, 200000, 'auto')),
    pagedAttention: optional(
      fc.record({
        blockSize: fc.constantFrom(16, 32),
        gpuMemoryUtilization: fc.constantFrom('0.50', '0.90', '0.95'),
        swapSpaceGiB: fc.nat({ max: 64 }),
        kvCacheDtype: fc.constantFrom('auto', 'fp8'),
        prefixCaching: fc.boolean(),
      }),
    ),
    batching: optional(
      fc.record({
        maxNumSeqs: fc.integer({ min: 1, max: 512 }),
        maxNumBatchedTokens: fc.integer({ min: 512, max: 32768 }),
        chunkedPrefill: fc.boolean(),
      }),
    ),
    performanceMode: rarely(fc.constantFrom('balanced' as const, 'throughput' as const)),
    speculative: optional(fc.constant({ method: 'ngram', numSpeculativeTokens: 4 })),
    lora: optional(
      fc.record({
        maxLoras: fc.integer({ min: 1, max: 8 }),
        adapters: fc.constant([{ name: 'a1', source: 'x' }]),
      }),
    ),
    toolCallParser: optional(fc.constant('hermes')),
    drainTimeout: optional(fc.constantFrom('10s', '5m', '1h')),
    extraArgs: rarely(
      fc.subarray(
        [...FLAGS.filter((flag) => flag.field === undefined && flag.reserved === undefined).map(sample)],
        { maxLength: 3 },
      ),
    ),
  },
  { requiredKeys: [] },
);

const inputs = fc.record({
  product: fc.constantFrom(...ACCELERATOR_PRODUCTS),
  count: fc.constantFrom(1, 2, 4, 8),
  source: fc.constantFrom(...SOURCES),
  poolEngine: engines,
  modelEngine: engines,
  spot: fc.boolean(),
});

function sample(flag: (typeof FLAGS)[number]): string {
  return flag.kind === 'switch' ? `--${flag.name}` : `--${flag.name}=1`;
}

/** Drops what is undefined, as YAML would. */
function clean<T extends object>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

type Input = typeof inputs extends fc.Arbitrary<infer T> ? T : never;

function objects({ product, count, source, poolEngine, modelEngine, spot }: Input) {
  const type = count === 1 ? product : `${product}x${count}`;
  return {
    pool: pool(type, { engine: clean(poolEngine) as never, accelerator: { spot } }),
    model: model(source, { engine: clean(modelEngine) as never }),
  };
}

/** Runs an action on every input that is not refused; refusals must carry fields and remedies. */
function forAll(action: (input: ReturnType<typeof objects>) => void): void {
  let rendered = 0;
  fc.assert(
    fc.property(inputs, (input) => {
      try {
        action(objects(input));
        rendered++;
      } catch (error) {
        // What the schema refuses never reaches the operator.
        if (error instanceof ZodError) return;
        if (!(error instanceof InvalidSpecError)) throw error;
        for (const issue of error.issues) {
          expect(issue).toMatchObject({
            field: expect.stringMatching(/^spec\./),
            reason: expect.stringMatching(/./),
            remedy: expect.stringMatching(/./),
          });
        }
      }
    }),
    { numRuns: 600 },
  );
  expect(rendered).toBeGreaterThan(60);
}

interface Template {
  spec: {
    template: {
      spec: {
        containers: { resources: { requests: Record<string, string>; limits: Record<string, string> } }[];
      };
    };
  };
}

describe('for every pool and model', () => {
  it('an engine is given only flags that its version has, each once', () => {
    forAll((input) => {
      const engine = merged(input.pool, input.model);
      const [argument, ...flags] = renderFlags(engine);
      expect(argument).toBe(engine.source.argument);
      const matches = flags
        .map((flag) => matchFlag(flag, engine.version))
        .filter((match) => match.kind !== 'value');
      const names = matches.map((match) => (match.kind === 'flag' ? match.flag.name : 'unknown'));
      for (const name of names) expect(hasFlag(name, engine.version), name).toBe(true);
      expect(new Set(names).size).toBe(names.length);
    });
  });

  it('limits of accelerators equal requests, and names fit', () => {
    forAll((input) => {
      const manifests: Manifest[] = renderModel(resolved(input.pool, input.model));
      for (const { metadata, kind, ...rest } of manifests) {
        expect(metadata.name.length).toBeLessThanOrEqual(63);
        if (kind !== 'Deployment') continue;
        const [engine] = (rest as unknown as Template).spec.template.spec.containers;
        for (const [name, limit] of Object.entries(engine?.resources.limits ?? {})) {
          expect(engine?.resources.requests[name]).toBe(limit);
        }
      }
    });
  });

  it('the plan has no negative number and refuses with a remedy', () => {
    forAll((input) => {
      const plan = planMemory(merged(input.pool, input.model));
      if (plan === undefined) return;
      const { weightsGiB, overheadGiB, kvCacheGiB, kvCacheTokens, sequencesAtFullLength } = plan;
      for (const number of [weightsGiB, overheadGiB, kvCacheGiB, kvCacheTokens, sequencesAtFullLength]) {
        expect(number).toBeGreaterThanOrEqual(0);
        expect(Number.isFinite(number)).toBe(true);
      }
      if (plan.issue) expect(plan.issue.remedy).not.toBe('');
    });
  });

  it('rendering the same twice gives the same', () => {
    forAll((input) => {
      const copy = structuredClone(input);
      expect(renderModel(resolved(input.pool, input.model))).toEqual(
        renderModel(resolved(copy.pool, copy.model)),
      );
    });
  });
});

describe('the flag table', () => {
  it('has every flag once and consistent versions', () => {
    expect(new Set(FLAGS.map(({ name }) => name)).size).toBe(FLAGS.length);
    for (const { name, since, removed } of FLAGS) {
      expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
      for (const version of [since, removed]) {
        if (version !== undefined) expect(parseVersion(version), name).toBeDefined();
      }
    }
  });
});

describe('for every name', () => {
  const names = fc
    .stringMatching(/^[a-z0-9]([-a-z0-9.]{0,100}[a-z0-9])?$/)
    .filter((name) => !/\.\.|\.-|-\./.test(name));

  it('children have DNS labels that start with a letter, and labels have values', () => {
    fc.assert(
      fc.property(names, (name) => {
        for (const made of [engineName(name), modelCacheName(name), routerName(name), redisName(name)]) {
          expect(made).toMatch(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/);
        }
        expect(labelValue(name)).toMatch(/^[a-z0-9]([-a-z0-9._]{0,61}[a-z0-9])?$/);
        const of = pool('A100', {}, name);
        const manifests = renderPool({
          pool: of,
          cluster: { operatorNamespace: 'ops' },
          routerFiles: { a: 'b' },
          redis: { aclHash: 'a' },
        });
        for (const { metadata } of manifests) expect(metadata.name.length).toBeLessThanOrEqual(63);
      }),
      { numRuns: 200 },
    );
  });

  it('different owners have different children', () => {
    fc.assert(
      fc.property(names, names, (a, b) => {
        fc.pre(a !== b);
        for (const of of [engineName, routerName, redisName, labelValue]) expect(of(a)).not.toBe(of(b));
      }),
    );
    const long = 'a'.repeat(70);
    expect(engineName(`${long}b`)).not.toBe(engineName(`${long}c`));
    expect(routerName('a.b')).not.toBe(routerName('a-b'));
  });

  it('short names are unchanged', () => {
    expect([engineName('llama-8b'), routerName('a100'), redisName('a100')]).toEqual([
      'vllm-llama-8b',
      'a100-router',
      'a100-redis',
    ]);
  });
});
