import { describe, expect, it } from 'vitest';
import { renderFlags } from '../../../operator/model/engine-args.ts';
import { InvalidSpecError, type SpecIssue } from '../../../operator/values/spec-issue.ts';
import { model, pool } from '../render/support/objects.ts';
import { merged } from './support/resolve.ts';

const llama = 'hf://meta-llama/Llama-3.1-8B-Instruct';
const unknown = 'hf://acme/secret-sauce';

type Engine = NonNullable<Parameters<typeof model>[1]>['engine'];

function flags(type: string, engine: Engine, source = llama): string[] {
  return renderFlags(merged(pool(type), model(source, { engine })));
}

function issues(
  type: string,
  engine: Engine,
  source = llama,
  more: Parameters<typeof model>[1] = {},
): SpecIssue[] {
  try {
    merged(pool(type), model(source, { ...more, engine }));
  } catch (error) {
    if (error instanceof InvalidSpecError) return [...error.issues];
    throw error;
  }
  return [];
}

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

  it('tells where a wrong argument is, in the pool or in the model', () => {
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
    const inherited = ['--seed', '1', '--bogus', '--hf-overrides=x'];
    expect(fields(inherited, ['--seed=2', '--limit-mm-per-prompt', 'x'])).toEqual([
      'spec.engine.extraArgs[2] of InferencePool gpus',
      'spec.engine.extraArgs[3] of InferencePool gpus',
      'spec.engine.extraArgs[2]',
    ]);
    expect(fields(inherited, ['--hf-overrides={}'])).toEqual([
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
    ['A100', 'vllm/vllm-openai:v0.28.0'],
    ['MI300X', 'vllm/vllm-openai-rocm:v0.28.0'],
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
    expect(issues('A100', {}, 'pvc://claim/../other')[0]?.reason).toBe('the path leaves the claim');
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

describe('refused, with field and remedy', () => {
  it.each<[string, string, Engine, string, string, RegExp]>([
    [
      'TP above the accelerators',
      'H100x4',
      { tensorParallelSize: 8 },
      llama,
      'spec.engine.tensorParallelSize',
      /at most 4/,
    ],
    [
      'sizes above the accelerators',
      'H100x4',
      { dataParallelSize: 8, tensorParallelSize: 1 },
      llama,
      'spec.engine.dataParallelSize',
      /at most 4/,
    ],
    [
      'sizes that do not divide',
      'H100x4',
      { pipelineParallelSize: 3 },
      llama,
      'spec.engine.tensorParallelSize',
      /divides the accelerators/,
    ],
    [
      'TP that does not divide the heads',
      'H100x4',
      {},
      'hf://Qwen/Qwen2.5-0.5B-Instruct',
      'spec.engine.tensorParallelSize',
      /one of 1, 2, for example 2 with dataParallelSize 2/,
    ],
    [
      'more stages than layers',
      'H100x8',
      { pipelineParallelSize: 8 },
      'hf://acme/tiny',
      'spec.engine.pipelineParallelSize',
      /at most 4 stages/,
    ],
    [
      'experts of a dense model',
      'H100x4',
      { expertParallel: true },
      llama,
      'spec.engine.expertParallel',
      /remove/,
    ],
    ['bfloat16 on a T4', 'T4', { dtype: 'bfloat16' }, unknown, 'spec.engine.dtype', /half/],
    [
      'FP8 ModelOpt on Ampere',
      'A100',
      { quantization: 'modelopt' },
      llama,
      'spec.engine.quantization',
      /use a pool of .*H100/,
    ],
    [
      'MXFP4 on a T4',
      'T4',
      { quantization: 'mxfp4' },
      unknown,
      'spec.engine.quantization',
      /newer accelerator/,
    ],
    [
      'GGUF in the stock image',
      'A100',
      { quantization: 'gguf' },
      llama,
      'spec.engine.quantization',
      /plug-in/,
    ],
    [
      'ModelOpt on AMD',
      'MI300X',
      { quantization: 'modelopt_fp4' },
      llama,
      'spec.engine.quantization',
      /NVIDIA/,
    ],
    [
      'a context that the model does not reach',
      'A100',
      { maxModelLen: 32768 },
      'hf://codellama/CodeLlama-13b',
      'spec.engine.maxModelLen',
      /16384 or less/,
    ],
    [
      'an image without version',
      'A100',
      { image: 'acme/vllm:latest' },
      llama,
      'spec.engine.image',
      /spec\.engine\.version/,
    ],
    [
      'an image too old',
      'A100',
      { image: 'vllm/vllm-openai:v0.10.2' },
      llama,
      'spec.engine.image',
      /newer image/,
    ],
    [
      'a setting that the version lacks',
      'A100',
      { image: 'vllm/vllm-openai:v0.16.0', performanceMode: 'balanced' },
      llama,
      'spec.engine.performanceMode',
      /newer image/,
    ],
    [
      'an extra argument that repeats',
      'A100',
      { extraArgs: ['--gpu-mem=0.5'] },
      llama,
      'spec.engine.extraArgs[0]',
      /spec\.engine\.pagedAttention\.gpuMemoryUtilization/,
    ],
    [
      'an adapter named like the model',
      'A100',
      { lora: { adapters: [{ name: 'assistant', source: 'x' }] } },
      llama,
      'spec.engine.lora.adapters[0].name',
      /another name/,
    ],
  ])('%s', (_what, type, engine, source, field, remedy) => {
    const tiny = { parametersBillions: '0.1', layers: 4, attentionHeads: 8, kvHeads: 8, headDim: 64 };
    const more = source === 'hf://acme/tiny' ? { model: { facts: tiny } } : {};
    const found = issues(type, engine, source, more);
    expect(found.map((issue) => issue.field)).toEqual([field]);
    expect(found[0]?.remedy).toMatch(remedy);
    expect(found[0]?.reason).not.toBe('');
  });

  it('finds everything at once', () => {
    const found = issues('A100', {
      tensorParallelSize: 2,
      quantization: 'modelopt',
      extraArgs: ['--task=embed', '--bogus'],
    });
    expect(found.map(({ field }) => field)).toEqual([
      'spec.engine.tensorParallelSize',
      'spec.engine.quantization',
      'spec.engine.extraArgs[0]',
      'spec.engine.extraArgs[1]',
    ]);
  });

  it.each<[string, Parameters<typeof model>[1], string]>([
    [
      'a volume name of ours',
      { template: { volumes: [{ name: 'shm', emptyDir: {} }] } },
      'spec.template.volumes[0].name',
    ],
    [
      'a mount path of ours',
      { template: { volumes: [{ name: 'x' }], volumeMounts: [{ name: 'x', mountPath: '/home/vllm/' }] } },
      'spec.template.volumeMounts[0].mountPath',
    ],
    [
      'a mount path of ours, written another way',
      {
        template: {
          volumes: [{ name: 'x' }],
          volumeMounts: [{ name: 'x', mountPath: '/srv/../home//vllm/.' }],
        },
      },
      'spec.template.volumeMounts[0].mountPath',
    ],
    [
      'a mount of no volume',
      { template: { volumeMounts: [{ name: 'x', mountPath: '/x' }] } },
      'spec.template.volumeMounts[0].name',
    ],
    [
      'a memory limit below shared memory',
      { template: { resources: { limits: { memory: '2Gi' } } } },
      'spec.template.resources.limits.memory',
    ],
    [
      'replicas on a claim of one node',
      { scaling: { minReplicas: 0, maxReplicas: 3 }, model: { cache: { pvc: { size: '50Gi' } } } },
      'spec.model.cache.pvc.accessModes',
    ],
  ])('%s', (_what, more, field) => {
    expect(issues('A100', {}, llama, more).map((issue) => issue.field)).toEqual([field]);
  });
});

describe('ids that vLLM resolves itself', () => {
  const adapter = (source: string): Engine => ({ lora: { adapters: [{ name: 'a', source }] } });
  const draft = (id: string): Engine => ({
    speculative: { method: 'draft_model', model: id, numSpeculativeTokens: 3 },
  });

  it.each(['org/name@v1', 'org/name:v1', 'hf://org/name'])('%s is refused', (id) => {
    expect(issues('A100', adapter(id)).map(({ field }) => field)).toEqual([
      'spec.engine.lora.adapters[0].source',
    ]);
    expect(issues('A100', draft(id)).map(({ field }) => field)).toEqual(['spec.engine.speculative.model']);
  });

  it.each(['org/name', '/models/lora@v1', 's3://bucket/a:b'])('%s is taken', (id) => {
    expect(issues('A100', adapter(id))).toEqual([]);
    expect(issues('A100', draft(id))).toEqual([]);
  });
});

describe('taken', () => {
  it.each(['constructor', '__proto__', 'toString'])('a model and a method named %s as any other', (name) => {
    const facts = { parametersBillions: '0.1', layers: 4, attentionHeads: 8, kvHeads: 8, headDim: 64 };
    const method = name.toLowerCase();
    expect(issues('A100', {}, `hf://acme/${name}`)).toEqual(issues('A100', {}, 'hf://acme/other'));
    expect(issues('A100', { quantization: method }, `hf://acme/${name}`, { model: { facts } })).toEqual(
      issues('A100', { quantization: 'other' }, 'hf://acme/other', { model: { facts } }),
    );
  });

  it.each<[string, string, Engine, string]>([
    [
      'a longer context with scaled positions',
      'A100',
      { maxModelLen: 131072, extraArgs: ['--hf-overrides={}'] },
      'hf://Qwen/Qwen2.5-7B-Instruct',
    ],
    [
      'a longer context on own risk',
      'A100',
      { maxModelLen: 65536, env: [{ name: 'VLLM_ALLOW_LONG_MAX_MODEL_LEN', value: '1' }] },
      'hf://Qwen/Qwen2.5-7B-Instruct',
    ],
    [
      'a private build that says its version',
      'A100',
      { image: 'acme/vllm@sha256:01', version: 'v0.28.0' },
      llama,
    ],
    [
      'GGUF in an image with the plug-in',
      'A100',
      { image: 'acme/vllm-gguf:v1.0.0', version: 'v0.28.0', quantization: 'gguf' },
      llama,
    ],
    [
      'an old version in an image with an entry point of its own',
      'A100',
      { image: 'registry.example.com/vllm:patched', version: 'v0.10.2' },
      llama,
    ],
    [
      'an old official image with a command',
      'A100',
      { image: 'vllm/vllm-openai:v0.11.0', command: ['vllm', 'serve'] },
      llama,
    ],
    ['FP8 weights on Ampere', 'A100', { quantization: 'fp8' }, llama],
    ['experts of a mixture', 'H200x8', { expertParallel: true }, 'hf://deepseek-ai/DeepSeek-V3-0324'],
    ['any tensor-parallel size of an unknown model', 'H100x8', { tensorParallelSize: 7 }, unknown],
  ])('%s', (_what, type, engine, source) => expect(issues(type, engine, source)).toEqual([]));
});
