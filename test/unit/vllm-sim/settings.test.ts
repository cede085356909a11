import { describe, expect, test } from 'vitest';
import { checkEnvironment } from '../../../hack/vllm-sim/cli/environment.ts';
import { parseArguments } from '../../../hack/vllm-sim/cli/parse-arguments.ts';
import { resolveSettings, type SimSettings } from '../../../hack/vllm-sim/settings.ts';

function settings(argv: readonly string[], env: Record<string, string> = {}): SimSettings {
  return resolveSettings(parseArguments(argv), env);
}

describe('defaults', () => {
  test('depend on the accelerator as in vLLM', () => {
    const large = settings(['Qwen/Qwen3-8B'], { VLLM_SIM_MEMORY_GIB: '80' });
    expect([large.maxNumSeqs, large.maxNumBatchedTokens, large.maxModelLen]).toEqual([1024, 8192, 40960]);
    const small = settings(['Qwen/Qwen3-8B'], { VLLM_SIM_MEMORY_GIB: '45' });
    expect([small.maxNumSeqs, small.maxNumBatchedTokens]).toEqual([256, 2048]);
  });

  test('take the names, the task and the keys from the command line', () => {
    const resolved = settings(['BAAI/bge-m3', '--served-model-name', 'bge', 'b', '--api-key', 'k1', 'k2']);
    expect(resolved.servedNames).toEqual(['bge', 'b']);
    expect(resolved.task).toBe('embed');
    expect(resolved.apiKeys).toEqual(['k1', 'k2']);
    expect(settings(['org/model', '--runner', 'pooling', '--convert', 'classify']).task).toBe('classify');
    expect(settings(['m'], { VLLM_API_KEY: 'secret' }).apiKeys).toEqual(['secret']);
  });
});

describe('memory', () => {
  test('holds more blocks with more accelerators, lower weights and an 8 bit cache', () => {
    const blocks = (...flags: string[]): number =>
      settings(['Qwen/Qwen3-32B', '--max-model-len', '8192', ...flags], { VLLM_SIM_MEMORY_GIB: '80' })
        .numBlocks;
    const one = blocks();
    expect(one).toBeGreaterThan(8192 / 16);
    expect(blocks('-tp', '2')).toBeGreaterThan(2 * one);
    expect(blocks('--quantization', 'fp8')).toBeGreaterThan(2 * one);
    expect(Math.abs(blocks('--kv-cache-dtype', 'fp8') - 2 * one)).toBeLessThanOrEqual(1);
  });

  test('refuses weights and contexts that do not fit', () => {
    const start =
      (...argv: string[]) =>
      () =>
        settings(argv, { VLLM_SIM_MEMORY_GIB: '80' });
    expect(start('meta-llama/Llama-3.3-70B-Instruct')).toThrow(/OutOfMemoryError: CUDA out of memory/);
    expect(start('Qwen/Qwen3-32B')).not.toThrow();
    expect(start('Qwen/Qwen3-32B', '--gpu-memory-utilization', '0.82')).toThrow(
      /max seq len \(40960\).*estimated maximum model length is \d+/,
    );
    expect(start('Qwen/Qwen3-32B', '--gpu-memory-utilization', '0.5')).toThrow(
      /No available memory for the cache blocks/,
    );
  });

  test('of a step and of the sampler grows with the batch, until it does not fit', () => {
    const start = (seqs: number, tokens: number) =>
      settings(
        [
          'Qwen/Qwen3-8B',
          '--max-model-len',
          '8192',
          '--max-num-seqs',
          `${seqs}`,
          '--max-num-batched-tokens',
          `${tokens}`,
        ],
        {
          VLLM_SIM_MEMORY_GIB: '24',
          VLLM_SIM_MIB_PER_BATCHED_TOKEN: '0.25',
          VLLM_SIM_MIB_PER_SEQUENCE: '16',
        },
      );
    const small = start(64, 4096).numBlocks;
    expect(start(64, 2048).numBlocks).toBeGreaterThan(small);
    expect(start(32, 4096).numBlocks).toBeGreaterThan(small);
    expect(() => start(64, 32_768)).toThrow(
      /OutOfMemoryError: CUDA out of memory. Tried to allocate 8.00 GiB/,
    );
    expect(() => start(512, 4096)).toThrow(/out of memory occurred when warming up sampler with 512 dummy/);
  });
});

describe('refusals after parsing', () => {
  test.each([
    [
      ['Qwen/Qwen2.5-0.5B', '-tp', '4'],
      /attention heads \(14\) must be divisible by tensor parallel size \(4\)/,
    ],
    [['Qwen/Qwen2.5-7B', '--max-model-len', '65536'], /max_model_len \(65536\) is greater than the derived/],
    [['m', '--quantization', 'gguf'], /Unknown quantization method: gguf/],
    [['m', '--quantization', 'fbgemm_fp8'], /deprecated/],
    [['m', '--enable-auto-tool-choice'], /requires --tool-call-parser/],
    [['m', '--enable-log-outputs'], /requires --enable-log-requests/],
    [['m', '--tool-call-parser', 'nonsense'], /KeyError: 'invalid tool call parser: nonsense/],
    [['m', '--gpu-memory-utilization', '1.2'], /gpu_memory_utilization/],
    [['m', '--tensor-parallel-size', '0'], /tensor_parallel_size/],
  ])('%j', (argv, message) => {
    expect(() => settings(argv)).toThrow(message);
  });

  test('runtime adapters exclude several API servers', () => {
    const argv = ['m', '--enable-lora', '--api-server-count', '2'];
    expect(() => settings(argv, { VLLM_ALLOW_RUNTIME_LORA_UPDATING: '1' })).toThrow(/api_server_count/);
  });
});

describe('environment', () => {
  test('refuses the VLLM_PORT of a Service named vllm', () => {
    expect(() => checkEnvironment({ VLLM_PORT: 'tcp://10.0.0.1:8000' }, false)).toThrow(
      /appears to be a URI/,
    );
    expect(() => checkEnvironment({ VLLM_PORT: 'x' }, false)).toThrow(/must be a valid integer/);
    expect(checkEnvironment({ VLLM_PORT: '29000' }, false)).toEqual([]);
  });

  test('warns of unknown variables, or refuses them when told', () => {
    const env = { VLLM_CHAT_SERVICE_HOST: '10.0.0.1', VLLM_API_KEY: 'k', VLLM_SIM_MODE: 'echo' };
    expect(checkEnvironment(env, false)).toEqual([
      'Unknown vLLM environment variable detected: VLLM_CHAT_SERVICE_HOST',
    ]);
    expect(() => checkEnvironment(env, true)).toThrow(/VLLM_CHAT_SERVICE_HOST/);
  });
});
