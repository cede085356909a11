import { describe, expect, it } from 'vitest';
import type { model } from '../render/support/objects.ts';
import { type Engine, flags, issues, llama, unknown } from './support/engine.ts';

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
      /newer engine image/,
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

describe('values that the version does not have', () => {
  it.each<[Engine, string, RegExp, RegExp]>([
    [{ quantization: 'int8' }, 'quantization', /only auto_awq, auto_gptq, /, /write one of them/],
    [{ quantization: 'fp88' }, 'quantization', /only auto_awq, auto_gptq, /, /such as fp8$/],
    [{ quantization: 'fp_quant' }, 'quantization', /deprecated/, /--allow-deprecated-quantization/],
    [{ toolCallParser: 'llama3_jsom' }, 'toolCallParser', /for --tool-call-parser only/, /llama3_json/],
    [{ reasoningParser: 'qwen33' }, 'reasoningParser', /for --reasoning-parser only/, /qwen3/],
    [{ loadFormat: 'bitsandbytes' }, 'loadFormat', /since 0\.28/, /plug-in/],
    [{ pagedAttention: { kvCacheDtype: 'fp9' } }, 'pagedAttention.kvCacheDtype', /only auto, /, /fp8/],
    [
      { speculative: { method: 'egale3', model: 'org/draft', numSpeculativeTokens: 3 } },
      'speculative.method',
      /for --spec-method only/,
      /such as eagle3/,
    ],
    [{ quantization: 'bitsandbytes' }, 'quantization', /since 0\.28/, /plug-in/],
  ])('%j is refused', (engine, field, reason, remedy) => {
    const found = issues('A100', { image: 'vllm/vllm-openai:v0.28.0', ...engine });
    expect(found.map((issue) => issue.field)).toEqual([`spec.engine.${field}`]);
    expect(found[0]?.reason).toMatch(reason);
    expect(found[0]?.remedy).toMatch(remedy);
  });

  it.each<Engine>([
    { image: 'acme/vllm:1', version: 'v0.28.0', quantization: 'acme8' },
    { image: 'vllm/vllm-openai:v0.99.0', quantization: 'int8' },
    { image: 'vllm/vllm-openai:v0.27.0', quantization: 'bitsandbytes' },
    { quantization: 'fp_quant', extraArgs: ['--allow-deprecated-quantization'] },
    { toolCallParser: 'acme', extraArgs: ['--tool-parser-plugin=/opt/acme.py'] },
  ])('%j is taken', (engine) => expect(issues('A100', engine)).toEqual([]));
});

describe('ids that vLLM resolves itself', () => {
  const adapter = (source: string): Engine => ({ lora: { adapters: [{ name: 'a', source }] } });
  const draft = (id: string): Engine => ({
    speculative: { method: 'draft_model', model: id, numSpeculativeTokens: 3 },
  });

  it.each(['org/name', 'hf://org/name', '/models/lora@v1', 'file:///models/lora@v1', 's3://bucket/a:b'])(
    '%s is taken',
    (id) => {
      expect(issues('A100', adapter(id))).toEqual([]);
      expect(issues('A100', draft(id))).toEqual([]);
    },
  );

  it.each([
    ['hf://org/name', 'org/name'],
    ['file:///models/lora', '/models/lora'],
    ['org/name', 'org/name'],
  ])('%s is given to vLLM as %s', (id, given) => {
    expect(flags('A100', adapter(id)).join(' ')).toContain(`--lora-modules a=${given}`);
    expect(flags('A100', draft(id)).join(' ')).toContain(`"model":"${given}"`);
  });
});

describe('taken', () => {
  it.each(['constructor', '__proto__', 'toString'])('a model and a method named %s as any other', (name) => {
    const facts = { parametersBillions: '0.1', layers: 4, attentionHeads: 8, kvHeads: 8, headDim: 64 };
    const method = name.toLowerCase();
    expect(issues('A100', {}, `hf://acme/${name}`)).toEqual(issues('A100', {}, 'hf://acme/other'));
    const own = { image: 'acme/vllm:1', version: 'v0.28.0', quantization: method };
    expect(issues('A100', own, `hf://acme/${name}`, { model: { facts } })).toEqual([]);
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
