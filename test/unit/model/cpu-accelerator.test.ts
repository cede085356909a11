/** Pools without accelerators. Figures: vLLM 0.30 on CPU takes about 2.4 GiB for its three processes before weights and KV cache. */
import { describe, expect, it } from 'vitest';
import { planMemory } from '../../../operator/model/memory-plan.ts';
import { renderModel } from '../../../operator/render/model.ts';
import { InvalidSpecError } from '../../../operator/values/spec-issue.ts';
import { model, pool } from '../render/support/objects.ts';
import { merged, resolved } from './support/resolve.ts';

const small = 'hf://Qwen/Qwen2.5-0.5B-Instruct';

type Cpu = { cores?: number; memoryGiB?: number };
type Model = Parameters<typeof model>[1];

interface Pod {
  affinity?: unknown;
  tolerations?: unknown[];
  containers: {
    image: string;
    args: string[];
    env: { name: string; value?: string }[];
    resources: { requests: Record<string, string>; limits: Record<string, string> };
  }[];
}

function pod(cpu: Cpu, source = small, more: Model = {}): Pod & { engine: Pod['containers'][number] } {
  const input = resolved(pool('CPU', { accelerator: { cpu } }), model(source, more));
  const deployment = renderModel(input).find(({ kind }) => kind === 'Deployment');
  const { spec } = (deployment as unknown as { spec: { template: { spec: Pod } } }).spec.template;
  const [engine] = spec.containers;
  if (engine === undefined) throw new Error('no container');
  return { ...spec, engine };
}

function variables(...input: Parameters<typeof pod>): Record<string, string | undefined> {
  return Object.fromEntries(pod(...input).engine.env.map(({ name, value }) => [name, value]));
}

function issues(cpu: Cpu, more: Model = {}, source = small): string[] {
  try {
    merged(pool('CPU', { accelerator: { cpu } }), model(source, more));
  } catch (error) {
    if (error instanceof InvalidSpecError) return error.issues.map(({ field }) => field);
    throw error;
  }
  return [];
}

describe('a pool without accelerators', () => {
  it('asks for cores and memory, and for nothing else', () => {
    const { engine, affinity, tolerations } = pod({ cores: 8, memoryGiB: 32 });
    expect(engine.resources).toEqual({ requests: { cpu: '8', memory: '32Gi' }, limits: { memory: '32Gi' } });
    expect(engine.image).toBe('vllm/vllm-openai-cpu:v0.32.0');
    expect(affinity).toBeUndefined();
    expect(tolerations ?? []).toEqual([]);
  });

  it('has defaults for a try-out', () => {
    const { pool: found } = { pool: pool('CPU') };
    const { accelerator } = merged(found, model(small));
    expect(accelerator).toMatchObject({ product: 'CPU', count: 1, cpu: 4, memoryGiB: 16 });
  });

  it('runs as many sequences as vLLM would', () => {
    expect(pod({}).engine.args).toContain('--max-num-seqs=128');
  });

  it('leaves a core to the API server, and binds no thread to a core that the pod may not have', () => {
    const of = (cores: number) => variables({ cores });
    expect(of(8)).toMatchObject({ OMP_NUM_THREADS: '7', VLLM_CPU_OMP_THREADS_BIND: 'nobind' });
    expect(of(1)).toMatchObject({ OMP_NUM_THREADS: '1' });
  });
});

describe('the KV cache in host memory', () => {
  it('is what processes, shared memory and weights leave, in whole GiB', () => {
    // 16 - 1 (shm) - 0.9 (weights) - 2.5 (processes) is 11.5.
    expect(variables({ memoryGiB: 16 })).toMatchObject({ VLLM_CPU_KVCACHE_SPACE: '11' });
    const plan = planMemory(merged(pool('CPU'), model(small)));
    expect(plan).toMatchObject({ kvCacheGiB: 11 });
    expect(plan?.issue).toBeUndefined();
  });

  it('is half of the memory for an unknown model', () => {
    expect(variables({ memoryGiB: 9 }, 'hf://acme/embedder')).toMatchObject({ VLLM_CPU_KVCACHE_SPACE: '4' });
  });

  it('is the one that a model asks for', () => {
    const env = [{ name: 'VLLM_CPU_KVCACHE_SPACE', value: '2' }];
    expect(variables({}, small, { engine: { env } })).toMatchObject({ VLLM_CPU_KVCACHE_SPACE: '2' });
    // The variable would win over the argument.
    const extraArgs = ['--kv-cache-memory-bytes=1G'];
    expect(variables({}, small, { engine: { extraArgs } })).not.toHaveProperty('VLLM_CPU_KVCACHE_SPACE');
  });

  it('has to fit', () => {
    const llama = 'hf://meta-llama/Llama-3.1-8B-Instruct';
    const issue = planMemory(merged(pool('CPU'), model(llama)))?.issue;
    expect(issue).toMatchObject({ remedy: expect.stringMatching(/accelerator\.cpu\.memoryGiB/) as unknown });
    const tight = merged(pool('CPU', { accelerator: { cpu: { memoryGiB: 21 } } }), model(llama));
    expect(planMemory(tight)?.issue?.remedy).toMatch(/^set engine\.maxModelLen to [0-9]+ or less, or raise/);
    const large = pool('CPU', { accelerator: { cpu: { memoryGiB: 64 } } });
    expect(planMemory(merged(large, model(llama)))?.issue).toBeUndefined();
  });

  it('is not cut by a limit of the template', () => {
    const limit = (memory: string): Model => ({ template: { resources: { limits: { memory } } } });
    expect(issues({ memoryGiB: 16 }, limit('8Gi'))).toEqual(['spec.template.resources.limits.memory']);
    expect(issues({ memoryGiB: 16 }, limit('20Gi'))).toEqual([]);
  });
});
