/** `plan --config`: the plan of models that the catalog does not have. */
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { planFiles } from '../../../operator/cli/plan.ts';
import { fileWriter, withOutput } from './support/command.ts';
import { LLAMA_8B_CONFIG } from './support/llama-config.ts';

const file = fileWriter();
const plan = (files: string[], configs: string[] = []) =>
  withOutput((output) => planFiles(files, output, configs));

const pool = `
apiVersion: vllm-operator.dev/v1alpha1
kind: InferencePool
metadata: { name: a100, namespace: team-a }
spec: { accelerator: { type: A100 } }
`;
const model = (name: string, source: string, engine = '{}') => `---
apiVersion: vllm-operator.dev/v1alpha1
kind: InferenceModel
metadata: { name: ${name}, namespace: team-a }
spec:
  poolRef: { name: a100 }
  model: { source: '${source}' }
  engine: ${engine}
`;
const config = (more: object = {}, name = 'config.json') =>
  file(name, JSON.stringify({ ...LLAMA_8B_CONFIG, ...more }));

describe('plan --config', () => {
  it('says how to plan a model that the catalog does not have', () => {
    const { code, out } = plan([file('one.yaml', pool + model('own', 'hf://acme/own'))]);
    expect(code).toBe(0);
    expect(out).toMatch(/not planned: .*--config/);
  });

  it('says which profile is in effect', () => {
    const engine = '{ profile: Latency, batching: { maxNumSeqs: 8 } }';
    const { out } = plan([file('one.yaml', pool + model('own', 'hf://meta-llama/Meta-Llama-3-8B', engine))]);
    expect(out).toMatch(/\n {2}profile Latency \(.*; overridden: batching.maxNumSeqs 8\)\n$/);
  });

  it('plans it like one that the catalog has, and prints the facts for its manifest', () => {
    const path = config();
    const { code, out, err } = plan([file('one.yaml', pool + model('own', 'hf://acme/own'))], [path]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const known = plan([file('known.yaml', pool + model('own', 'hf://meta-llama/Meta-Llama-3-8B'))]).out;
    // The catalog has fewer digits of the number of parameters.
    expect(out).toContain(/: weights .* sequences of 8192 tokens/.exec(known)?.[0]);
    expect(out).toContain(`spec.model.facts from ${path}:\n`);
    const facts = out.slice(out.indexOf(':\n', out.indexOf(' from ')) + 2);
    expect(parse(facts)).toMatchObject({
      parametersBillions: '8.030257',
      kvHeads: 8,
      maxPositionEmbeddings: 8192,
    });
    const stated = `---\n${model('own', 'hf://acme/own').replace("own' }", `own', facts: ${JSON.stringify(parse(facts))} }`)}`;
    expect(plan([file('stated.yaml', pool + stated)]).out).toBe(
      out.slice(0, out.indexOf('spec.model.facts')),
    );
  });

  it('takes a file for each of several models by their sources, and one of a draft model', () => {
    const speculative =
      '{ speculative: { method: draft_model, model: acme/draft, numSpeculativeTokens: 3 } }';
    const two = model('a', 'hf://acme/a', speculative) + model('b', 'pvc://weights/b');
    const small = { num_hidden_layers: 4, hidden_size: 1024, num_attention_heads: 8 };
    const { code, out, err } = plan(
      [file('two.yaml', pool + two)],
      [
        `hf://acme/a=${config()}`,
        `pvc://weights/b=${config({ num_hidden_layers: 16 }, 'b.json')}`,
        `acme/draft=${config(small, 'draft.json')}`,
      ],
    );
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).not.toContain('not in the catalog');
    expect(out.match(/spec\.model\.facts from/g)).toHaveLength(2);
    expect(out).toContain('spec.engine.speculative.facts from');
  });

  it.each<[string, (path: string) => string[], RegExp]>([
    [
      'several models and no source',
      (path) => [path],
      /catalog lacks several models of the files: hf:\/\/acme\/a, hf:\/\/acme\/b; use --config SOURCE=PATH/,
    ],
    [
      'a source that no model has',
      (path) => [`hf://acme/c=${path}`],
      /no model in the files has the source hf:\/\/acme\/c/,
    ],
    ['no such file', () => ['hf://acme/a=/nowhere/config.json'], /\/nowhere\/config\.json: ENOENT/],
    [
      'a file without an end',
      () => ['hf://acme/a=/dev/zero'],
      /\/dev\/zero: the file: has more than 4 MiB; use the config\.json/,
    ],
    [
      'another file',
      () => [`hf://acme/a=${file('x.json', '{"num_hidden_layers": "many"}')}`],
      /x\.json: num_hidden_layers "many": .*; set spec\.model\.facts/,
    ],
  ])('refuses %s', (_, configs, problem) => {
    const two = file('two.yaml', pool + model('a', 'hf://acme/a') + model('b', 'hf://acme/b'));
    const { code, err } = plan([two], configs(config()));
    expect(code).toBe(1);
    expect(err).toMatch(problem);
  });
});
