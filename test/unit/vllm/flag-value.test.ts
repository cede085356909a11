import { describe, expect, it } from 'vitest';
import { describeIssue } from '../../../operator/values/spec-issue.ts';
import { checkExtraArgs } from '../../../operator/vllm/extra-args.ts';
import { PINNED_VERSION } from '../../../operator/vllm/versions.ts';

const check = (extraArgs: string[]): string[] =>
  checkExtraArgs(
    extraArgs,
    { version: PINNED_VERSION, stock: true },
    (at) => `spec.engine.extraArgs[${at}]`,
  ).map(describeIssue);

describe('flags that take JSON', () => {
  it.each([
    [['--limit-mm-per-prompt', 'image=2'], '[1] "image=2"', `={"image":2}'`],
    [['--limit_mm_per_prompt=image=2'], '[0] "--limit_mm_per_prompt=image=2"', `={"image":2}'`],
    [['--hf-overrides', '{temperature: 0.6}'], '[1] "{temperature: 0.6}"', '--hf-overrides takes JSON'],
    [['--eplb-config=[]'], '[0]', 'an object'],
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
    [['-cc.mode=3', '-O3']],
    [['--kv-transfer-config={"kv_buffer_size":80g,"kv_ip":"1k"}']],
    [['--mm-processor-kwargs', 'None']],
    [['--hf-overrides', 'org/overrides']],
  ])('take %j', (args) => expect(check(args)).toEqual([]));
});
