import { describe, expect, it } from 'vitest';
import { describeIssue } from '../../../operator/values/spec-issue.ts';
import { checkExtraArgs } from '../../../operator/vllm/extra-args.ts';
import { FLAGS } from '../../../operator/vllm/flag-table.ts';
import { JSON_FLAGS } from '../../../operator/vllm/json-flags.ts';
import { PINNED_VERSION } from '../../../operator/vllm/versions.ts';

const check = (extraArgs: string[]): string[] =>
  checkExtraArgs(extraArgs, PINNED_VERSION, (at) => `spec.engine.extraArgs[${at}]`).map(describeIssue);

describe('flags that take JSON', () => {
  it.each([
    [['--limit-mm-per-prompt', 'image=2'], '[1] "image=2"', `={"image":2}'`],
    [['--limit_mm_per_prompt=image=2'], '[0] "--limit_mm_per_prompt=image=2"', `={"image":2}'`],
    [['--hf-overrides', '{temperature: 0.6}'], '[1] "{temperature: 0.6}"', '--hf-overrides takes JSON'],
    [['--hf-overrides=[]'], '[0]', 'an object'],
    [['-cc={mode:3}'], '[0]', '--compilation-config takes JSON'],
    [['--seed=1', '--kv-transfer-config', 'NixlConnector'], '[2] "NixlConnector"', 'kv_connector'],
  ])('refuse %j', (args, item, text) => {
    const found = check(args);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`spec.engine.extraArgs${item}`);
    expect(found[0]).toContain(text);
  });

  it.each([
    [['--limit-mm-per-prompt', '{"image":2}', '--seed=1']],
    [['--limit-mm-per-prompt={"image": {"count": 2}}']],
    [['--limit-mm-per-prompt.image=2', '--hf-overrides.rope_scaling.factor', '4']],
    [['--compilation-config', '3', '-cc.mode=3', '-O3']],
    [['--hf-overrides', 'None']],
  ])('take %j', (args) => expect(check(args)).toEqual([]));

  it.each([...JSON_FLAGS])('%s is a flag of the table, and its example is JSON', (name, example) => {
    expect(FLAGS.map((flag) => flag.name)).toContain(name);
    expect(JSON.parse(example)).toBeTypeOf('object');
  });
});
