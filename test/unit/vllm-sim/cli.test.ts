import { describe, expect, test } from 'vitest';
import { FLAGS } from '../../../hack/vllm-sim/cli/flags.ts';
import { humanInt } from '../../../hack/vllm-sim/cli/human-int.ts';
import { parseArguments } from '../../../hack/vllm-sim/cli/parse-arguments.ts';
import { UsageError } from '../../../hack/vllm-sim/cli/usage-error.ts';
import { REMOVED_FLAGS } from './removed-flags.ts';

function refusal(...argv: string[]): string {
  try {
    parseArguments(argv);
  } catch (cause) {
    expect(cause).toBeInstanceOf(UsageError);
    return cause instanceof UsageError ? cause.message : '';
  }
  throw new Error(`accepted ${argv.join(' ')}`);
}

describe('spellings', () => {
  test('takes the model first, long, short and inline forms', () => {
    const args = parseArguments([
      'org/model',
      '--max-num-seqs=8',
      '-tp',
      '4',
      '-q=fp8',
      '--dtype',
      'half',
      '-O3',
    ]);
    expect(args.model).toBe('org/model');
    expect(args.number('max-num-seqs')).toBe(8);
    expect(args.number('tensor-parallel-size')).toBe(4);
    expect(args.text('quantization')).toBe('fp8');
    expect(args.text('dtype')).toBe('half');
    expect(args.text('optimization-level')).toBe('3');
  });

  test('treats underscores as dashes in names and not in values', () => {
    const args = parseArguments(['m', '--served_model_name', 'a_b', 'c', '--kv_cache_dtype=fp8_e4m3']);
    expect(args.list('served-model-name')).toEqual(['a_b', 'c']);
    expect(args.text('kv-cache-dtype')).toBe('fp8_e4m3');
  });

  test('turns booleans on and off', () => {
    const args = parseArguments(['m', '--no-enable-prefix-caching', '--enforce-eager']);
    expect(args.flag('enable-prefix-caching')).toBe(false);
    expect(args.flag('enforce-eager')).toBe(true);
    expect(refusal('m', '--enforce-eager=true')).toContain("ignored explicit argument 'true'");
    expect(refusal('m', '--no-disable-log-stats')).toContain(
      'unrecognized arguments: --no-disable-log-stats',
    );
  });

  test('completes an abbreviation that fits one flag, and refuses one that fits several', () => {
    expect(parseArguments(['m', '--kv-cache-memory', '1g']).number('kv-cache-memory-bytes')).toBe(1e9);
    expect(refusal('m', '--max-num', '3')).toMatch(
      /ambiguous option: --max-num could match --max-num-batched-tokens, --max-num-scheduled-tokens, --max-num-seqs/,
    );
  });

  test('moves --model to the front', () => {
    expect(parseArguments(['-tp', '2', '--model', 'org/model']).model).toBe('org/model');
    expect(() => parseArguments(['--served-model-name', 'x', '--port', '1'])).toThrow(
      /first positional argument/,
    );
  });

  test('folds dotted JSON parts into one document', () => {
    const args = parseArguments([
      'm',
      '--kv-transfer-config.kv_connector',
      'NixlConnector',
      '--kv-transfer-config.kv_connector_extra_config.size=2k',
      '-cc.cudagraph_capture_sizes+',
      '1,2',
    ]);
    const values = Object.fromEntries(args.entries());
    expect(values['kv-transfer-config']).toEqual({
      kv_connector: 'NixlConnector',
      kv_connector_extra_config: { size: 2000 },
    });
    expect(values['compilation-config']).toEqual({ cudagraph_capture_sizes: ['1', '2'] });
  });
});

describe('values', () => {
  test.each([
    ['1k', 1000],
    ['1K', 1024],
    ['25.6k', 25600],
    ['2M', 2 ** 21],
    ['80g', 80e9],
    ['17', 17],
    ['1.5K', undefined],
    ['k', undefined],
    ['1.5', undefined],
  ])('reads %s as %s', (text, value) => {
    expect(humanInt(text)).toBe(value);
  });

  test('takes suffixes only where vLLM does, and auto lengths', () => {
    expect(parseArguments(['m', '--max-model-len', '32K']).number('max-model-len')).toBe(32768);
    expect(parseArguments(['m', '--max-model-len', 'auto']).number('max-model-len')).toBe(-1);
    expect(parseArguments(['m', '--max-model-len', '-1']).number('max-model-len')).toBe(-1);
    expect(refusal('m', '--max-num-seqs', '1k')).toBe(
      "vllm serve: error: argument --max-num-seqs: invalid int value: '1k'",
    );
  });

  test('checks choices and JSON', () => {
    expect(refusal('m', '--dtype', 'int8')).toContain(
      "argument --dtype: invalid choice: 'int8' (choose from auto,",
    );
    expect(refusal('m', '--max-lora-rank', '24')).toContain('invalid choice');
    expect(refusal('m', '--speculative-config', 'ngram')).toContain(
      'argument --speculative-config/-sc: invalid',
    );
    expect(refusal('m', '--port')).toBe('vllm serve: error: argument --port: expected one argument');
  });
});

describe('refusals', () => {
  test.each([...REMOVED_FLAGS])('refuses --%s, which this version removed', (name) => {
    expect(FLAGS.has(name)).toBe(false);
    expect(refusal('m', `--${name}=4`)).toBe(
      `vllm: error: unrecognized arguments: --${name}=4${name === 'task' ? refusalHint() : ''}`,
    );
  });

  test('lists unknown flags with their values', () => {
    expect(refusal('m', '--swap-space', '4', '--port', '1', '--nope')).toBe(
      'vllm: error: unrecognized arguments: --swap-space 4 --nope',
    );
  });
});

function refusalHint(): string {
  const message = refusal('m', '--task=embed');
  expect(message).toContain('use --runner pooling');
  return message.slice(message.indexOf('\n'));
}
