import { describe, expect, it } from 'vitest';
import { planFiles } from '../../../operator/cli/plan.ts';
import { validateFiles } from '../../../operator/cli/validate.ts';
import { fileWriter, withOutput } from './support/command.ts';

const file = fileWriter();
const run = (files: string[], pools: string[] = []) =>
  withOutput((output) => validateFiles(files, output, pools));
const plan = (files: string[]) => withOutput((output) => planFiles(files, output));

const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: { name: team-a, labels: { tier: ml } }\n';
const pool = `
apiVersion: vllm-operator.dev/v1alpha1
kind: InferencePool
metadata: { name: a100, namespace: platform }
spec:
  accelerator: { type: A100 }
  allowedNamespaces: { from: All }
`;
const model = (name: string, more = '') => `
apiVersion: vllm-operator.dev/v1alpha1
kind: InferenceModel
metadata: { name: ${name}, namespace: team-a }
spec:
  poolRef: { name: a100, namespace: platform }
${more.includes('model:') ? '' : "  model: { source: 'hf://meta-llama/Llama-3.1-8B-Instruct' }"}
${more}`;

describe('validateFiles of a team that does not own the pool', () => {
  it('checks what it can, and says what it cannot', () => {
    const { code, out, err } = run([file('model.yaml', model('llama'))]);
    expect(code).toBe(0);
    expect(out).toBe('0 pools and 1 model are valid\n');
    expect(err).toMatch(
      /^warning: InferenceModel team-a\/llama: InferencePool platform\/a100 .* not .* checked; .* --pool/,
    );
  });

  it('does not refuse what the pool may have', () => {
    const more = `  engine: { profile: chat-on-l4 }
  admission: { degradation: [{ queueAbove: 400, maxTokens: 5 }] }
`;
    expect(run([file('model.yaml', model('llama', more))])).toMatchObject({ code: 0 });
  });

  it.each([
    ['  engine: { profile: Fast }\n', /no profile of this name/],
    ['  engine: { extraArgs: [--limit-mm-per-prompt, image=2] }\n', /takes JSON/],
    ['  engine: { extraArgs: [--no-such-flag] }\n', /no such flag/],
    ['  template: { volumeMounts: [{ name: a, mountPath: /a }] }\n', /no volume with this name/],
    [
      '  scaling: { maxReplicas: 1, schedules: [{ name: day, start: 0 8 * * *, end: 0 20 * * *, maxReplicas: 3 }] }\n  model: { source: hf://a/b, cache: { pvc: { size: 10Gi } } }\n',
      /up to 3 replicas share the claim/,
    ],
    [
      '  scaling: { mode: External, replicas: 1 }\n  model: { source: hf://a/b, cache: { pvc: { size: 10Gi } } }\n',
      /any number of replicas/,
    ],
  ])('refuses what no pool can mend: %s', (more, problem) => {
    const { code, err } = run([file('model.yaml', model('llama', more))]);
    expect(code).toBe(1);
    expect(err).toMatch(problem);
  });

  it('knows a claim that stands in the files', () => {
    const claim =
      'apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: w, namespace: team-a }\nspec: { accessModes: [ReadWriteOnce] }\n';
    const two = model('llama', '  scaling: { replicas: 2 }\n  model: { source: pvc://w/x }\n');
    expect(run([file('model.yaml', two)]).code).toBe(0);
    const { code, err } = run([file('both.yaml', `${claim}---${two}`)]);
    expect(code).toBe(1);
    expect(err).toMatch(/spec.model.source "w": up to 2 replicas share the claim, claim w is ReadWriteOnce/);
  });

  it('takes any parallelism and any memory where the pool is not known', () => {
    const more = '  engine: { tensorParallelSize: 4, pipelineParallelSize: 2 }\n';
    const big = model('llama', more).replace('Llama-3.1-8B', 'Llama-3.1-405B');
    expect(run([file('model.yaml', big)])).toMatchObject({ code: 0 });
  });

  it('checks against the pool of --pool, and against nothing else of that file', () => {
    const pools = file('pool.yaml', [namespace, pool, model('other', '  engine: 1\n')].join('---'));
    const fits = run([file('model.yaml', model('llama'))], [pools]);
    expect(fits).toEqual({ code: 0, out: '0 pools and 1 model are valid\n', err: '' });
    const large = model('llama').replace('Llama-3.1-8B', 'Llama-3.3-70B');
    expect(run([file('large.yaml', large)], [pools]).err).toMatch(/use a pool of /);
  });

  it('warns of an engine that is newer than all that is known', () => {
    const engine = '  engine: { image: vllm/vllm-openai:v0.99.0, extraArgs: [--new-flag=1] }\n';
    const { code, err } = run([file('all.yaml', [namespace, pool, model('llama', engine)].join('---'))]);
    expect(code).toBe(0);
    expect(err).toMatch(/^warning: InferenceModel team-a\/llama: vLLM 0\.99\.0 is newer than v0\.\d+, /);
  });

  it('checks the engine settings of a pool that has no model in the files', () => {
    const of = (engine: string) => run([file('pool.yaml', `${pool}  engine: ${engine}\n`)]);
    expect(of('{ extraArgs: [--eplb-config, x] }').err).toMatch(
      /^InferencePool platform\/a100: spec\.engine\.extraArgs\[1\] "x": --eplb-config takes JSON/,
    );
    expect(of("{ image: 'acme/vllm:v1', extraArgs: [--no-such-flag] }").err).toMatch(/no such flag/);
    expect(of('{ extraArgs: [--seed=1] }')).toMatchObject({ code: 0 });
  });

  it.each([
    ['an empty file', ''],
    ['other kinds', namespace],
    ['another group', pool.replace('vllm-operator.dev', 'vllm-operator.io')],
  ])('refuses files in which nothing is to be checked: %s', (_, content) => {
    const path = file('none.yaml', content);
    expect(run([path])).toEqual({
      code: 1,
      out: '',
      err: `${path}: no InferencePool or InferenceModel of vllm-operator.dev/v1alpha1 found; pass files with pools or models\n`,
    });
    expect(plan([path])).toMatchObject({ code: 1, err: expect.stringContaining('no InferenceModel') });
  });

  it('refuses a file of --pool without a pool', () => {
    const { code, err } = run([file('model.yaml', model('llama'))], [file('none.yaml', namespace)]);
    expect(code).toBe(1);
    expect(err).toMatch(/none\.yaml: no InferencePool found/);
  });

  it('passes a warning over no mistake in the reference', () => {
    const typo = model('llama').replace('name: a100', 'nam: a100');
    expect(run([file('model.yaml', typo)]).code).toBe(1);
  });
});
