/** `plan --load`: what a load needs and costs, through the command. */
import { CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { planCommand } from '../../../operator/cli/plan-command.ts';
import { type PlanLoadOptions, planLoads } from '../../../operator/cli/plan-loads.ts';
import { validateFiles } from '../../../operator/cli/validate.ts';
import type { Load } from '../../../operator/planning/load.ts';
import type { LoadPlan } from '../../../operator/planning/plan-load.ts';
import { ACCELERATOR_PRODUCTS } from '../../../operator/vllm/accelerators.ts';
import { fileWriter, withOutput } from '../render/support/command.ts';
import { LLAMA_8B_CONFIG } from '../render/support/llama-config.ts';
import { load } from './support/a-load.ts';

const file = fileWriter();
const run = (files: string[], options: PlanLoadOptions = {}) =>
  withOutput((output) => planLoads(files, options, output));

const loadFile = (more: object = {}, name = 'load.yaml') =>
  file(name, JSON.stringify({ load: { ...load, ...more } }));

type Data = Omit<LoadPlan, 'cheapest'> & { load: Load; cheapest: string | null; assumptions: string[] };

function planned(more: object = {}, options: PlanLoadOptions = {}): Data {
  const { out, err } = run([loadFile(more)], { output: 'json', ...options });
  expect(err).toBe('');
  return JSON.parse(out) as Data;
}

const option = ({ options }: Data, product: string) => {
  const found = options.find((each) => each.product === product);
  if (found === undefined) throw new Error(`no option for ${product}`);
  return found;
};

describe('what a load asks for', () => {
  it('turns requests per day into rates, with a peak', () => {
    const { demand } = planned({ peakFactor: 4 });
    expect(demand.requestsPerSecond).toBeCloseTo(5.787, 3);
    expect(demand.peakRequestsPerSecond).toBeCloseTo(23.148, 3);
    expect(demand.peakPromptTokensPerSecond).toBeCloseTo(2314.8, 1);
    expect(demand.peakOutputTokensPerSecond).toBeCloseTo(1157.4, 1);
  });

  it('takes a rate per second as it is', () => {
    const { demand } = planned({ requestsPerDay: undefined, requestsPerSecond: 20 });
    expect(demand).toMatchObject({ requestsPerSecond: 20, peakFactor: 1, peakRequestsPerSecond: 20 });
  });

  it('takes options alone, and options over fields of the file', () => {
    const { model, requestsPerDay, promptTokens, outputTokens } = load;
    const alone = run([], { model, requestsPerDay, promptTokens, outputTokens, output: 'json' });
    expect((JSON.parse(alone.out) as Data).demand).toEqual(planned().demand);
    const { load: both } = planned(
      { targets: { timePerToken: '50ms' } },
      { requestsPerSecond: 7, latencyP99: '9s', price: ['H100=1.5'], accelerator: ['H100'], maxNumSeqs: 64 },
    );
    expect(both).toMatchObject({
      requestsPerSecond: 7,
      targets: { timePerToken: '50ms', latencyP99: '9s' },
      prices: { H100: 1.5 },
      accelerators: ['H100'],
      engine: { maxNumSeqs: 64 },
    });
    expect(both).not.toHaveProperty('requestsPerDay');
  });
});

describe('the plan', () => {
  it('has an option or a reason for each accelerator of the catalog', () => {
    const { options, notPlanned } = planned();
    const products = [...options, ...notPlanned].map(({ product }) => product);
    expect(new Set(products)).toEqual(new Set(ACCELERATOR_PRODUCTS));
    expect(notPlanned.find(({ product }) => product === 'T4')?.reason).toContain('no peak figures');
  });

  it('serves the peak with room to spare, at the stated price', () => {
    const price = 2;
    const plan = planned({ requestsPerDay: 50_000_000, prices: { H100: price } });
    const { replicas, predicted, monthlyCost, costPerMillionTokens, settings } = option(plan, 'H100');
    expect(predicted.capacityRequestsPerSecond * 0.8).toBeGreaterThanOrEqual(
      plan.demand.peakRequestsPerSecond,
    );
    expect(predicted.utilization).toBeLessThanOrEqual(0.8);
    expect(monthlyCost).toBeCloseTo(replicas * settings.tensorParallelSize * price * 730, 6);
    expect(costPerMillionTokens).toBeCloseTo((monthlyCost / plan.demand.tokensPerMonth) * 1e6, 9);
  });

  it('marks prices that nobody stated', () => {
    const plan = planned({ prices: { H100: 3 } });
    expect(option(plan, 'H100').price).toEqual({ perAcceleratorHour: 3, isHint: false });
    expect(option(plan, 'L40S').price.isHint).toBe(true);
    expect(run([loadFile({ prices: { H100: 3 } })]).out).toMatch(/~1\.30/);
    expect(plan.assumptions.join()).toContain('hints of the catalog');
  });

  it('lists the cheapest that meets the targets first, and says what the pick is based on', () => {
    const plan = planned({ targets: { timePerToken: '60ms' } });
    const met = plan.options.filter(({ verdict }) => verdict === 'meets');
    expect(met.map((each) => each.monthlyCost)).toEqual(
      met.map((each) => each.monthlyCost).sort((a, b) => a - b),
    );
    expect(plan.cheapest).toBe(met[0]?.accelerator);
    const { out } = run([loadFile({ targets: { timePerToken: '60ms' } })]);
    expect(out).toContain(`Cheapest: ${met[0]?.replicas} x ${met[0]?.accelerator} for $`);
    expect(out).toContain('- settings: accelerator.type ');
    expect(out).toContain('Assumptions:');
    expect(out).toContain('Error of the formula');
  });

  it('adds the spare replicas of N+1, and as many as an availability needs', () => {
    const one = option(planned(), 'H100');
    const spare = option(planned({ spareReplicas: 1 }), 'H100');
    expect(spare).toMatchObject({ replicas: one.replicas + 1, spareReplicas: 1, predicted: one.predicted });
    // One of one fails 1 % of the time, two of two 0.01 %, three of three 0.0001 %.
    expect(option(planned({ availability: 99.9 }), 'H100').spareReplicas).toBe(1);
    expect(option(planned({ availability: 99.999 }), 'H100').spareReplicas).toBe(2);
    expect(option(planned({ availability: 98 }), 'H100').spareReplicas).toBe(0);
    const many = { requestsPerDay: undefined, requestsPerSecond: 20_000, availability: 99.9 };
    expect(option(planned(many), 'H100').spareReplicas).toBeGreaterThan(2);
    const unreliable = { ...many, replicaAvailability: 50 };
    expect(option(planned(unreliable), 'B200').spareReplicas).toBeGreaterThan(100);
  });

  it('says what cannot be, with the nearest that is possible', () => {
    const plan = planned({ targets: { latencyP99: '200ms' } });
    const l4 = option(plan, 'L4');
    expect(l4.verdict).toBe('misses');
    expect(l4.missed.join()).toMatch(
      /p99 of the whole request is at least [0-9.]+ s, and the target is 200ms/,
    );
    const { code, out, err } = run([loadFile({ targets: { latencyP99: '20ms' } })]);
    expect(code).toBe(1);
    expect(out).toContain('No accelerator meets the targets.');
    expect(err).toMatch(/the nearest is \S+: p99 of the whole request is at least [0-9]+ ms, .* 20ms; relax/);
  });

  it('uses more accelerators for a replica where latency needs it', () => {
    expect(option(planned(), 'H100').settings.tensorParallelSize).toBe(1);
    const fast = option(planned({ targets: { latencyP99: '200ms' } }), 'H100');
    expect(fast.settings.tensorParallelSize).toBeGreaterThan(1);
    expect(fast.predicted.latencyP99Ms).toBeLessThanOrEqual(200 * 0.85);
  });

  it('uses the settings that it has to', () => {
    const engine = {
      tensorParallelSize: 2,
      maxModelLen: 4096,
      maxNumSeqs: 32,
      quantization: 'fp8',
      kvCacheDtype: 'fp8',
    };
    const { settings, weightFormat } = option(planned({ engine }), 'H100');
    expect(settings).toMatchObject(engine);
    expect(weightFormat).toBe('fp8');
    const { notPlanned } = planned({ engine });
    expect(notPlanned.find(({ product }) => product === 'L4')?.reason).toContain('several over PCIe');
  });

  it.each([
    [{}],
    [{ targets: { latencyP99: '200ms' } }],
    [{ model: 'hf://openai/gpt-oss-120b', promptTokens: 3000 }],
    [{ engine: { quantization: 'fp8' } }],
  ])('proposes what the operator takes: %j', (more) => {
    const { cheapest, load: given, options } = planned(more);
    const { settings } = options[0] ?? {};
    const { tensorParallelSize, maxModelLen, maxNumSeqs, maxNumBatchedTokens, quantization } = settings ?? {};
    const batching = { maxNumSeqs, maxNumBatchedTokens };
    const apiVersion = 'vllm-operator.dev/v1alpha1';
    const manifests = [
      {
        apiVersion,
        kind: 'InferencePool',
        metadata: { name: 'p' },
        spec: { accelerator: { type: cheapest } },
      },
      {
        apiVersion,
        kind: 'InferenceModel',
        metadata: { name: 'm' },
        spec: {
          poolRef: { name: 'p' },
          model: { source: given.model },
          engine: { tensorParallelSize, maxModelLen, batching, quantization },
        },
      },
    ];
    const path = file('proposed.yaml', manifests.map((each) => JSON.stringify(each)).join('\n---\n'));
    const { code, err } = withOutput((output) => validateFiles([path], output));
    expect({ code, err }).toEqual({ code: 0, err: '' });
  });

  it('runs no more sequences than the KV cache holds', () => {
    const { settings } = option(planned({ promptTokens: 4000, outputTokens: 1000 }), 'L4');
    expect(settings.maxNumSeqs).toBeLessThan(32);
  });

  it.each([
    ['hf://openai/gpt-oss-120b', 'MI300X', 'mixtures of experts'],
    ['hf://meta-llama/Llama-3.1-70B-Instruct', 'L40S', 'several over PCIe are not predicted'],
    ['hf://meta-llama/Llama-3.1-8B-Instruct-AWQ', 'H100', 'int4'],
    ['hf://nvidia/Llama-3.1-8B-Instruct-NVFP4', 'H100', 'nvfp4'],
  ])('makes no claim about %s on %s', (model, product, reason) => {
    const { out } = run([loadFile({ model, promptTokens: 1000 })], { output: 'json' });
    const { notPlanned } = JSON.parse(out) as Data;
    expect(notPlanned.find((each) => each.product === product)?.reason).toContain(reason);
  });

  it('plans a model by its config.json', () => {
    const config = file('config.json', JSON.stringify(LLAMA_8B_CONFIG));
    const own = planned({ model: 'hf://acme/own' }, { config: [config] });
    const known = planned({ model: 'hf://meta-llama/Meta-Llama-3-8B' });
    expect(own.cheapest).toBe(known.cheapest);
    expect(planned({ model: 'hf://acme/own' }, { config: [`hf://acme/own=${config}`] })).toEqual(own);
    expect(own.assumptions.join()).toContain('hidden size');
  });
});

describe('side by side', () => {
  it('compares the loads of files', () => {
    const files = [loadFile({}, 'a.yaml'), loadFile({ requestsPerDay: 200_000_000 }, 'b.yaml')];
    const { code, out } = run([], { compare: files });
    expect(code).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[1]).toContain('a.yaml');
    expect(lines[1]).not.toContain('%  met');
    expect(lines[2]).toMatch(/b\.yaml .*\+[1-9][0-9]+ %/);
  });

  it('has what-ifs built in: hardware, FP8, speculation, shorter prompts, larger batches', () => {
    const { out } = run([loadFile({ targets: { latencyP99: '200ms' } })], { whatIf: true, output: 'yaml' });
    const { plans } = parse(out) as { plans: (Data & { name: string })[] };
    expect(plans.map(({ name }) => name)).toEqual([
      'as asked',
      'without H100',
      'FP8 weights',
      'speculative decoding, 3 tokens, 60 % accepted (assumed)',
      'prompts of 50 tokens',
      'batches of 512 sequences and 16384 tokens',
    ]);
    const cost = (at: number) => Number(plans[at]?.options[0]?.monthlyCost);
    expect(cost(1)).toBeGreaterThan(cost(0));
    expect(cost(2)).toBeLessThan(cost(0));
    expect(plans[2]?.assumptions.join()).toContain('fp8 weights are good enough');
    expect(plans[3]?.assumptions.join()).toContain('measure it');
  });
});

describe('the command line', () => {
  function command(...args: string[]) {
    const text = { out: '', err: '' };
    let code: number | undefined;
    const io = {
      write: (more: string) => {
        text.out += more;
      },
      fail: (more: string) => {
        text.err += more;
      },
    };
    const plan = planCommand(io, (given) => {
      code = given;
    });
    plan.exitOverride().configureOutput({ writeErr: io.fail });
    try {
      plan.parse(args, { from: 'user' });
    } catch (error) {
      if (!(error instanceof CommanderError)) throw error;
      code = error.exitCode;
    }
    return { code, ...text };
  }

  it('takes each field as an option', () => {
    const { code, out } = command(
      ...['--load', '--model', load.model, '--requests-per-second', '20', '--peak-factor', '2'],
      ...['--prompt-tokens', '300', '--output-tokens', '100', '--cached-prompt-share', '0.5'],
      ...['--first-token-p99', '1s', '--time-per-token', '80ms', '--latency-p99', '30s'],
      ...['--spare-replicas', '1', '--availability', '99', '--accelerator', 'H100', '--accelerator', 'H200'],
      ...[
        '--price',
        'H100=2.5',
        '--price',
        'H200=3',
        '--tensor-parallel-size',
        '2',
        '--max-model-len',
        '2048',
      ],
      ...['--max-num-seqs', '64', '--quantization', 'fp8', '--kv-cache-dtype', 'fp8', '-o', 'yaml'],
    );
    expect(code).toBe(0);
    expect((parse(out) as Data).load).toMatchObject({
      requestsPerSecond: 20,
      peakFactor: 2,
      cachedPromptShare: 0.5,
      targets: { firstTokenP99: '1s', timePerToken: '80ms', latencyP99: '30s' },
      spareReplicas: 1,
      availability: 99,
      accelerators: ['H100', 'H200'],
      prices: { H100: 2.5, H200: 3 },
      engine: {
        tensorParallelSize: 2,
        maxModelLen: 2048,
        maxNumSeqs: 64,
        quantization: 'fp8',
        kvCacheDtype: 'fp8',
      },
    });
  });

  it.each([
    ['a number that is none', ['--load', '--peak-factor', 'much'], 'Use a number'],
    [
      'options of a load without --load',
      ['-f', 'x.yaml', '--max-num-seqs', '3'],
      '--max-num-seqs is for --load; add --load',
    ],
    ['a comparison and a file', ['--compare', 'a.yaml', '-f', 'b.yaml'], 'cannot be used with'],
    ['no file and no load', [], "required option '-f, --filename <path>' not specified"],
  ])('refuses %s', (_, args, said) => {
    const { code, err } = command(...args);
    expect(code).toBe(1);
    expect(err).toContain(said);
  });
});
