import { describe, expect, it } from 'vitest';
import { checkExtraArgs, flagsIn } from '../../../operator/vllm/extra-args.ts';
import { type EngineVersion, PINNED_VERSION, parseVersion } from '../../../operator/vllm/versions.ts';

function version(text: string): EngineVersion {
  const parsed = parseVersion(text);
  if (parsed === undefined) throw new RangeError(text);
  return parsed;
}

function check(args: string[], engine = PINNED_VERSION): string[] {
  return checkExtraArgs(args, { version: engine, stock: true }, (at) => `spec.engine.extraArgs[${at}]`).map(
    ({ field, reason, remedy }) => `${field}: ${reason}; ${remedy}`,
  );
}

describe('extraArgs', () => {
  it.each([
    ['--tensor-parallel-size=2'],
    ['--tensor_parallel_size=2'],
    ['--tensor-parallel-size', '2'],
    ['-tp', '2'],
    ['-tp=2'],
    ['--tensor-par', '2'],
  ])('%s %s repeats tensorParallelSize', (...args) => {
    expect(check(args)).toEqual([
      'spec.engine.extraArgs[0]: --tensor-parallel-size repeats the setting engine.tensorParallelSize; set spec.engine.tensorParallelSize and remove the argument',
    ]);
  });

  it.each([
    ['--no-enable-prefix-caching', 'engine.pagedAttention.prefixCaching'],
    ['--speculative-config.method=ngram', 'engine.speculative'],
    ['-sc={"method":"ngram"}', 'engine.speculative'],
    ['-qawq', 'engine.quantization'],
    ['--served-model-name', 'model.servedNames'],
    ['--kv-offloading-size=4', 'engine.pagedAttention.swapSpaceGiB'],
    ['--swap-space=4', 'engine.pagedAttention.swapSpaceGiB'],
    ['--model=x', 'model.source'],
  ])('%s repeats %s', (argument, field) => {
    expect(check([argument])[0]).toContain(`repeats the setting ${field};`);
  });

  it.each([
    '--port=9000',
    '--host=0.0.0.0',
    '--api-key=x',
    '--ssl-keyfile=k',
    '--nnodes=2',
    '-dpn=1',
    '--headless',
  ])('%s belongs to the operator', (argument) =>
    expect(check([argument])[0]).toContain('belongs to the operator'),
  );

  it.each([
    ['--disable-log-requests', '0.17', '0.16.0'],
    ['--guided-decoding-backend=xgrammar', '0.12', '0.11.2'],
    ['--task=embed', '0.13', '0.12.0'],
    ['--calculate-kv-scales', '0.28', '0.27.0'],
    ['--max-num-partial-prefills=2', '0.27', '0.26.0'],
  ])('%s is refused from %s on and taken at %s', (argument, gone, before) => {
    expect(check([argument], version(gone))[0]).toContain(`in ${gone}, and the engine is ${gone}.0; `);
    expect(check([argument], version(before))).toEqual([]);
  });

  it('names the replacement of a removed flag', () => {
    expect(check(['--task=embed'])[0]).toMatch(/; use --runner or --convert$/);
  });

  it('refuses a flag that is not there yet', () => {
    expect(check(['--disable-access-log-for-endpoints=/health'], version('0.14.0'))[0]).toContain(
      'since 0.16,',
    );
  });

  it('refuses what no version has up to the end of the table and lets it pass above', () => {
    expect(check(['--enable-telepathy'])[0]).toContain('has no such flag');
    expect(check(['--enable-telepathy', 'now'], version('0.99.0'))).toEqual([]);
  });

  it('tells the flag that may be meant', () => {
    expect(check(['--enable-log-request'])).toEqual([]);
    expect(check(['--enabel-log-requests'])[0]).toContain('write --enable-log-requests if that is meant');
  });

  it.each([
    [['--attention-backend', 'FLASH_ATTN', '--seed=7', '--enable-log-requests']],
    [['-O3', '-cc.mode=3', '--no-async-scheduling']],
    [['--cudagraph-capture-sizes', '1', '2', '4', '--seed', '-1']],
    [['--kv-transfer-config', '{"kv_connector":"NixlConnector","kv_role":"kv_both"}']],
    [['--hf_overrides={"rope_scaling":{"factor":4.0}}']],
    [
      [
        '--max-num-scheduled-tokens=8k',
        '--kv-cache-memory-bytes',
        '1.5g',
        '--long-prefill-token-threshold=1_024',
      ],
    ],
    [['--scheduling-policy', 'priority', '--moe-backend=TRITON']],
  ])('takes %j', (args) => expect(check(args)).toEqual([]));

  it.each([
    [['meta-llama/Llama'], 'only positional argument'],
    [['--seed', '7', '8'], 'only positional argument'],
    [['--enable-log-requests', 'true'], 'only positional argument'],
    [['--enable-log-requests=true'], 'takes no value'],
    [['--no-disable-log-stats'], 'has no such flag'],
    [['--seed', 'today'], '--seed takes a whole number'],
    [['--seed=1k'], '--seed takes a whole number'],
    [['--seed.value=1'], '--seed takes a whole number'],
    [['--max-num-scheduled-tokens=2Mi'], 'perhaps with k, m, g or t'],
    [['--max-num-scheduled-tokens=1.5K'], 'perhaps with k, m, g or t'],
    [['--scheduling-policy=lifo'], 'only fcfs, priority'],
    [['--seed'], '--seed needs a value'],
    [['--seed', '--enable-log-requests'], '--seed needs a value'],
    [['--max-l', '1'], 'cannot tell which'],
  ])('refuses %j', (args, reason) => expect(check(args)[0]).toContain(reason));

  it('reports every problem with its position', () => {
    expect(check(['--seed=1', '-tp=2', '--port', '1']).map((line) => line.slice(0, 24))).toEqual([
      'spec.engine.extraArgs[1]',
      'spec.engine.extraArgs[2]',
    ]);
  });

  it('finds flags in any spelling', () => {
    expect([...flagsIn(['--cpu_offload_gb=4', '-O0', 'x'], PINNED_VERSION)]).toEqual([
      'cpu-offload-gb',
      'optimization-level',
    ]);
  });
});
