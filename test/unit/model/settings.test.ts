import { describe, expect, it } from 'vitest';
import { InvalidSpecError } from '../../../operator/values/spec-issue.ts';
import { parseModelSource } from '../../../operator/vllm/model-source.ts';
import { model, pool } from '../render/support/objects.ts';
import { type Engine, flags, llama, unknown } from './support/engine.ts';
import { merged } from './support/resolve.ts';

describe('inheritance', () => {
  it('overrides field by field, one level deep, and env by name', () => {
    const engine = merged(
      pool('A100', {
        engine: {
          maxModelLen: 32768,
          pagedAttention: { blockSize: 16, swapSpaceGiB: 4 },
          batching: { maxNumSeqs: 64, chunkedPrefill: true },
          speculative: { method: 'ngram', numSpeculativeTokens: 4, promptLookupMax: 4 },
          extraArgs: ['--seed=1'],
          env: [
            { name: 'A', value: 'pool' },
            { name: 'B', value: 'pool' },
          ],
        },
      }),
      model(llama, {
        engine: {
          pagedAttention: { swapSpaceGiB: 8 },
          batching: { maxNumSeqs: 32 },
          speculative: { method: 'suffix', numSpeculativeTokens: 2 },
          extraArgs: ['--enable-log-requests'],
          env: [{ name: 'B', value: 'model' }],
        },
      }),
    );
    expect(engine.settings).toMatchObject({
      maxModelLen: 32768,
      pagedAttention: { blockSize: 16, swapSpaceGiB: 8 },
      batching: { maxNumSeqs: 32, chunkedPrefill: true },
      speculative: { method: 'suffix', numSpeculativeTokens: 2 },
    });
    expect(engine.settings.speculative).not.toHaveProperty('promptLookupMax');
    expect(engine.extraArgs).toEqual(['--seed=1', '--enable-log-requests']);
    expect(engine.env).toEqual([
      { name: 'A', value: 'pool' },
      { name: 'B', value: 'model' },
    ]);
  });

  it('merges every list by key: variables and adapters by name, arguments by flag', () => {
    const engine = merged(
      pool('A100', {
        engine: {
          extraArgs: [
            '--seed=1',
            '--compilation-config.mode=3',
            '-cc.cudagraph_mode=FULL',
            '--no-async-scheduling',
            '--cudagraph-capture-sizes',
            '1',
            '2',
          ],
          lora: {
            adapters: [
              { name: 'a', source: 'org/pool-a' },
              { name: 'b', source: 'org/pool-b' },
            ],
          },
        },
      }),
      model(llama, {
        engine: {
          extraArgs: ['--async-scheduling', '--compilation_config={"mode":0}'],
          lora: {
            adapters: [
              { name: 'b', source: 'org/model-b' },
              { name: 'c', source: 'org/model-c' },
            ],
          },
        },
      }),
    );
    expect(engine.extraArgs).toEqual([
      '--seed=1',
      '--cudagraph-capture-sizes',
      '1',
      '2',
      '--async-scheduling',
      '--compilation_config={"mode":0}',
    ]);
    expect(engine.settings.lora?.adapters).toEqual([
      { name: 'a', source: 'org/pool-a' },
      { name: 'b', source: 'org/model-b' },
      { name: 'c', source: 'org/model-c' },
    ]);
  });

  it('takes image, version and command together, as they describe one image', () => {
    const engine = { image: 'acme/vllm:1', version: 'v0.20.0', command: ['serve'] };
    const of = (own: Engine) => merged(pool('A100', { engine }), model(llama, { engine: own }));
    expect(of({}).settings).toMatchObject(engine);
    const { version, settings } = of({ image: 'vllm/vllm-openai:v0.28.0' });
    expect(version).toEqual({ major: 0, minor: 28, patch: 0 });
    expect(settings).not.toHaveProperty('command');
    expect(of({ image: 'acme/vllm:2', version: 'v0.27.0' }).version.minor).toBe(27);
  });

  it('names the object of an invalid argument: pool or model', () => {
    const fields = (poolArgs: string[], modelArgs: string[]) => {
      try {
        merged(
          pool('A100', { engine: { extraArgs: poolArgs } }),
          model(llama, { engine: { extraArgs: modelArgs } }),
        );
      } catch (error) {
        if (error instanceof InvalidSpecError) return error.issues.map(({ field }) => field);
        throw error;
      }
      return [];
    };
    const inherited = ['--seed', '1', '--bogus', '--eplb-config=x'];
    expect(fields(inherited, ['--seed=2', '--limit-mm-per-prompt', 'x'])).toEqual([
      'spec.engine.extraArgs[2] of InferencePool gpus',
      'spec.engine.extraArgs[3] of InferencePool gpus',
      'spec.engine.extraArgs[2]',
    ]);
    expect(fields(inherited, ['--eplb-config={}'])).toEqual([
      'spec.engine.extraArgs[2] of InferencePool gpus',
    ]);
  });

  it('names the pool where only it has set the field', () => {
    const settings = { engine: { quantization: 'modelopt' } };
    expect(() => merged(pool('A100', settings), model(llama))).toThrow(
      /spec\.engine\.quantization of InferencePool gpus/,
    );
  });
});

describe('defaults', () => {
  it.each([
    ['A100', 256],
    ['H100', 1024],
    ['L4', 256],
  ])('%s runs as many sequences as vLLM would, and says so', (type, sequences) => {
    expect(flags(type, {})).toContain(`--max-num-seqs=${sequences}`);
  });

  it('splits the model over all accelerators that the other sizes leave', () => {
    expect(flags('H100x8', {})).toContain('--tensor-parallel-size=8');
    expect(flags('H100x8', { dataParallelSize: 2, pipelineParallelSize: 2 })).toContain(
      '--tensor-parallel-size=2',
    );
  });

  it('uses half precision where there is no bfloat16', () => {
    expect(flags('T4', {}, unknown)).toContain('--dtype=half');
  });

  it.each([
    ['A100', 'vllm/vllm-openai:v0.32.0'],
    ['MI300X', 'vllm/vllm-openai-rocm:v0.32.0'],
  ])('%s runs %s', (type, image) => expect(merged(pool(type), model(llama)).image).toBe(image));
});

describe('model sources', () => {
  it.each([
    ['hf://org/name', 'org/name', []],
    ['s3://bucket/a/b', 's3://bucket/a/b', ['--load-format=runai_streamer']],
    ['gs://bucket/a', 'gs://bucket/a', ['--load-format=runai_streamer']],
    ['pvc://claim/dir/model', '/models/dir/model', []],
    ['file:///models/qwen', '/models/qwen', []],
    ['pvc://claim', '/models', []],
    ['oci://registry/image:1', '/models', []],
  ])('%s is served as %s', (source, argument, more) => {
    const rendered = flags('A100', {}, source);
    expect(rendered[0]).toBe(argument);
    expect(rendered.filter((flag) => flag.startsWith('--load-format'))).toEqual(more);
  });

  it('refuses a path that leaves its claim', () => {
    expect(() => parseModelSource('pvc://claim/../other')).toThrow('the path leaves the claim');
  });
});

describe('swap space', () => {
  const swap = { pagedAttention: { swapSpaceGiB: 4 } };
  it.each([
    ['v0.17.1', 'A100', ['--swap-space=4']],
    ['v0.17.1', 'H100x4', ['--swap-space=4']],
    ['v0.18.0', 'A100', ['--kv-offloading-size=4']],
    ['v0.28.0', 'H100x4', ['--kv-offloading-size=16']],
  ])('of 4 GiB an accelerator on %s and %s is %j', (tag, type, expected) => {
    const rendered = flags(type, { ...swap, image: `vllm/vllm-openai:${tag}` });
    expect(rendered.filter((flag) => /swap|offload/.test(flag))).toEqual(expected);
  });

  it('is split over data-parallel ranks', () => {
    expect(flags('H100x8', { ...swap, dataParallelSize: 2 })).toContain('--kv-offloading-size=16');
  });

  it('of 0 turns the old default of 4 GiB off, and is nothing to the new flag', () => {
    const off = { pagedAttention: { swapSpaceGiB: 0 } };
    expect(flags('A100', { ...off, version: '0.16.0' })).toContain('--swap-space=0');
    expect(flags('A100', off).join(' ')).not.toMatch(/swap|offload/);
  });
});
