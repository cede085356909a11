/** `vllm-operator import`, through the command. */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { importFiles } from '../../../../operator/cli/import/import-files.ts';
import { validateFiles } from '../../../../operator/cli/validate.ts';
import { fileWriter, withOutput } from '../../render/support/command.ts';

const file = fileWriter();
const run = (...files: string[]) => withOutput((output) => importFiles(files, { pool: 'gpus' }, output));
const importText = (text: string) => run(file('source.yaml', text));

/** A Deployment with this command line, and more of its container and pod. */
const deployment = (args: string[], container: object = {}, pod: object = {}) =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'chat' },
    spec: {
      template: {
        spec: {
          ...pod,
          containers: [{ name: 'vllm', image: 'vllm/vllm-openai:v0.28.0', args, ...container }],
        },
      },
    },
  });
const specOf = (text: string) => {
  const result = importText(text);
  return { spec: parse(result.out).spec, err: result.err };
};

describe('sources', () => {
  const fixtures = `${import.meta.dirname}/fixtures`;

  it.each(readdirSync(fixtures))('%s becomes a model that is valid, and notes of the rest', async (name) => {
    const { code, out, err } = run(`${fixtures}/${name}`);
    await expect(`${out}\n# stderr\n${err.replaceAll(`${fixtures}/`, '')}`).toMatchFileSnapshot(
      `expected/${name.replace('.yaml', '.txt')}`,
    );
    const validated = withOutput((output) => validateFiles([file('imported.yaml', out)], output));
    const problems = validated.err.split('\n').filter((line) => line !== '' && !line.startsWith('warning:'));
    for (const problem of problems)
      expect(err).toContain(problem.replace(/^InferenceModel [^ ]+ /, 'InferenceModel.'));
    expect(validated.code).toBe(problems.length > 0 ? 1 : 0);
    expect(code).toBe(validated.code);
  });

  it('that are none end with an error', () => {
    expect(importText('kind: ConfigMap\nmetadata: { name: x }')).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('nothing that serves a model with vLLM; pass a Deployment'),
    });
  });

  it.each([
    ['no YAML', 'a: [', 'not YAML'],
    ['binary', '\u0000\u0001\u001b[31m', ''],
    [
      'a bomb of aliases',
      `a: &a [x]\n${'bcdefghij'
        .split('')
        .map((c, i) => `${c}: &${c} [${`*${'abcdefghi'[i]},`.repeat(9)}]`)
        .join('\n')}`,
      'alias',
    ],
    ['an empty file', '', 'nothing that serves'],
  ])('that are hostile end with an error too: %s', (_, text, message) => {
    const { code, out, err } = importText(text);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain(message);
    expect(err).not.toMatch(/(?!\n)\p{Cc}/u);
  });
});

describe('command lines', () => {
  it.each([
    [['serve', 'org/m'], ['vllm']],
    [
      ['--model', 'org/m'],
      ['python3', '-m', 'vllm.entrypoints.openai.api_server'],
    ],
    [['--model=org/m'], []],
    [['org/m'], []],
    [['-c', 'export A=1; exec vllm serve "org/m"'], ['/bin/bash']],
    [['-c', 'vllm serve \\\n  $(MODEL)'], ['sh']],
    [['serve', '$(MODEL)'], ['vllm']],
  ])('%j of %j name their model', (args, command) => {
    const env = [{ name: 'MODEL', value: 'org/m' }];
    const { spec } = specOf(deployment(args, { command, env }));
    expect(spec.model).toMatchObject({ source: 'hf://org/m', servedNames: ['org/m'] });
    expect(spec.engine.command).toBeUndefined();
  });

  it.each(['vllm serve ${', 'echo "', 'exec python app.py', '$(curl x) | sh'])(
    'that cannot be read are noted: %s',
    (script) => {
      const { code, err } = importText(deployment(['-c', script], { command: ['sh'] }));
      expect(code).toBe(1);
      expect(err).toMatch(/command.*no `vllm serve` is in it/);
      expect(err).toContain('set spec.model.source');
    },
  );

  it('become typed settings in any spelling', () => {
    const { spec, err } = specOf(
      deployment([
        'org/m',
        '-tp',
        '4',
        '--max_model_len=16k',
        '--no-enable-prefix-caching',
        '--swap-space',
        '4',
        '--enable-expert-parallel',
      ]),
    );
    expect(spec.engine).toMatchObject({
      tensorParallelSize: 4,
      maxModelLen: 16_000,
      pagedAttention: { prefixCaching: false },
      expertParallel: true,
    });
    expect(err).toContain('--swap-space');
  });

  it('keep what has no setting, and name what the version lacks or the operator sets', () => {
    const { spec, err } = specOf(
      deployment([
        'org/m',
        '--seed',
        '7',
        '--override-generation-config',
        '{"temperature": 0}',
        '--no-such-flag',
        'x',
        '--host',
        '0.0.0.0',
      ]),
    );
    expect(spec.engine.extraArgs).toEqual(['--seed=7', '--override-generation-config={"temperature": 0}']);
    expect(err).toMatch(/"--no-such-flag": vLLM v?0\.28\.0 has no such flag/);
    expect(err).toMatch(/--host belongs to the operator/);
  });

  it('of speculation are read from their JSON', () => {
    const config = {
      method: 'eagle3',
      model: 'org/draft',
      num_speculative_tokens: 3,
      draft_tensor_parallel_size: 1,
    };
    const { spec, err } = specOf(deployment(['org/m', '--speculative-config', JSON.stringify(config)]));
    expect(spec.engine.speculative).toEqual({
      method: 'eagle3',
      model: 'org/draft',
      numSpeculativeTokens: 3,
    });
    expect(err).toContain('draft_tensor_parallel_size');
  });
});

describe('what is not carried over', () => {
  it('never shows a token or a key', () => {
    const env = ['HF_TOKEN', 'VLLM_API_KEY'].map((name) => ({ name, value: 'very-secret' }));
    const { out, err } = importText(
      deployment(['org/m', '--api-key', 'very-secret', '--hf-token', 'very-secret'], { env }),
    );
    expect(out + err).not.toContain('very-secret');
    expect(err).toMatch(/env\.HF_TOKEN.*tokenSecretRef/);
  });

  it('is left out where the schema or a rule refuses it, so that the rest is valid', () => {
    const { spec, err } = specOf(
      deployment(
        ['org/m'],
        { env: [{ name: 'bad name', value: 'x' }] },
        { priorityClassName: 'system-node-critical', tolerations: [{ key: 'a', operator: 'Exists' }] },
      ),
    );
    expect(spec.template).toEqual({ env: [], tolerations: [{ key: 'a', operator: 'Exists' }] });
    expect(err).toMatch(/priorityClassName "system-node-critical".*reserved for the cluster/);
  });

  it('includes containers beside vLLM, files of the node and privileges', () => {
    const { err } = specOf(
      deployment(
        ['/models/m'],
        { securityContext: { privileged: true }, volumeMounts: [{ name: 'm', mountPath: '/models' }] },
        { volumes: [{ name: 'm', hostPath: { path: '/mnt/models' } }] },
      ),
    );
    expect(err).toMatch(/hostPath|files of the node/);
    expect(err).toContain('securityContext.privileged');
  });
});

it('documents are independent, and the last of many names is valid too', () => {
  const many = ['Chat_Bot', '7b', 'a.b']
    .map((name) => deployment(['org/m']).replace('"chat"', JSON.stringify(name)))
    .join('\n---\n');
  const { out } = importText(many);
  expect(parseAllDocuments(out).map((document) => document.toJS().metadata.name)).toEqual([
    'chat-bot',
    'm-7b',
    'a-b',
  ]);
});
