/** `plan --load --measured`: what was measured replaces the prediction. */
import { describe, expect, it } from 'vitest';
import { type PlanLoadOptions, planLoads } from '../../../operator/cli/plan-loads.ts';
import type { LoadPlan } from '../../../operator/planning/plan-load.ts';
import { loadResult, type StepNumbers, stepResult } from '../bench/support/load-result.ts';
import { fileWriter, withOutput } from '../render/support/command.ts';

const file = fileWriter();
const load = {
  model: 'hf://mistralai/Mistral-7B-Instruct-v0.3',
  requestsPerSecond: 30,
  promptTokens: 200,
  outputTokens: 200,
};

const step = (rate: number, more: Partial<StepNumbers> = {}) =>
  stepResult({
    rate,
    promptTokens: 212,
    outputTokens: 200,
    latencyMs: 1000 + 100 * rate,
    firstTokenMs: 10 * rate,
    timePerTokenMs: 5 + rate,
    ...more,
  });

const measured = (steps = [step(5), step(10), step(20)]) =>
  file('result.json', JSON.stringify(loadResult(steps)));

function plan(options: PlanLoadOptions, more: object = {}) {
  const loads = file('load.yaml', JSON.stringify({ load: { ...load, ...more } }));
  return withOutput((output) => planLoads([loads], { output: 'json', ...options }, output));
}

function optionFor(product: string, options: PlanLoadOptions, more: object = {}) {
  const { out, err } = plan(options, { accelerators: [product], ...more });
  expect(err).toBe('');
  const [option] = (JSON.parse(out) as LoadPlan).options;
  if (option === undefined) throw new Error('nothing is planned');
  return option;
}

describe('a plan with measurements', () => {
  it('has replicas, times and capacity as they were measured, between two rates in proportion', () => {
    const option = optionFor('L40S', { measured: [`L40S=${measured()}`] });
    // At most 80 % of 20 a replica; 30 / 2 is below it.
    expect(option).toMatchObject({ replicas: 2, isMeasured: true, verdict: 'meets' });
    expect(option.formulaError).toContain(
      'measured at 3 rates with 212 + 200 tokens (org/model, 2026-01-01)',
    );
    expect(option.predicted.firstTokenP99Ms).toBeCloseTo(150, 6);
    expect(option.predicted.timePerTokenMs).toBeCloseTo(20, 6);
    expect(option.predicted.latencyP99Ms).toBeCloseTo(2500, 6);
    expect(option.predicted.capacityRequestsPerSecond).toBeCloseTo(40, 6);
    expect(option.predicted.utilization).toBeCloseTo(0.75, 6);
    expect(option.predicted.running).toBeCloseTo(15 * 2.5, 6);
  });

  it('has as many replicas as the targets need at the measured times', () => {
    const targets = { firstTokenP99: '80ms' };
    expect(optionFor('L40S', { measured: [`L40S=${measured()}`] }, { targets })).toMatchObject({
      replicas: 4,
    });
  });

  it('says what the least measured rate misses', () => {
    const { err } = plan(
      { measured: [`L40S=${measured()}`] },
      { accelerators: ['L40S'], targets: { firstTokenP99: '40ms' } },
    );
    expect(err).toContain('p99 of the first token is at least 50.0 ms, and the target is 40ms');
  });

  it('plans accelerators of which nothing can be predicted', () => {
    const result = measured();
    expect(plan({}, { accelerators: ['A100-40GB'] }).err).toContain('no accelerator can be planned');
    expect(optionFor('A100-40GB', { measured: [`A100-40GB=${result}`] })).toMatchObject({ replicas: 2 });
  });

  it('is of the number of accelerators that was measured', () => {
    const options = { measured: [`L40Sx2=${measured()}`] };
    const option = optionFor('L40S', options, { engine: { tensorParallelSize: 2 } });
    expect(option).toMatchObject({ accelerator: 'L40Sx2', isMeasured: true });
    expect(optionFor('L40S', options, { engine: { tensorParallelSize: 1 } })).toMatchObject({
      isMeasured: false,
    });
  });

  it('leaves out rates that the replica did not keep up with', () => {
    const steps = [step(10), step(20, { requestsPerSecond: 15 }), step(30, { errorRate: 0.5 })];
    const option = optionFor('L40S', { measured: [`L40S=${measured(steps)}`] });
    expect(option).toMatchObject({ replicas: 4 });
    expect(option.predicted.capacityRequestsPerSecond).toBeCloseTo(40, 6);
  });

  it('takes a higher rate as no faster than a lower one', () => {
    const steps = [step(10, { firstTokenMs: 500 }), step(20)];
    const option = optionFor('L40S', { measured: [`L40S=${measured(steps)}`] });
    expect(option.predicted.firstTokenP99Ms).toBeCloseTo(500, 6);
  });

  it('is marked in the table', () => {
    const { out } = plan({ measured: [`L40S=${measured()}`], output: 'table' });
    expect(out).toMatch(/^L40S \(measured\) +2 /m);
  });

  it('says nothing of variants with other settings', () => {
    const { out } = plan({ measured: [`L40S=${measured()}`], whatIf: true }, { accelerators: ['L40S'] });
    const { plans } = JSON.parse(out) as { plans: (LoadPlan & { name: string })[] };
    expect(plans.map(({ options }) => options[0]?.isMeasured)).toEqual(plans.map((_, at) => at === 0));
  });
});

describe('a measurement is refused', () => {
  it.each([
    ['result.json', /use accelerator=path, such as L40S=result\.json/],
    ['K80=result.json', /with one of .*L40S/],
    ['L40S=/nowhere', /\/nowhere: cannot be read/],
  ])('%s', (option, message) => {
    expect(plan({ measured: [option] }).err).toMatch(message);
  });

  it('if its requests are not those of the load', () => {
    const { err } = plan({ measured: [`L40S=${measured()}`] }, { promptTokens: 1000 });
    expect(err).toMatch(
      /its requests have 212 \+ 200 tokens, and those of the load 1000 \+ 200; measure with --prompt-tokens 1000/,
    );
  });

  it('if the replica kept up with no rate', () => {
    const overloaded = measured([step(10, { requestsPerSecond: 5 })]);
    expect(plan({ measured: [`L40S=${overloaded}`] }).err).toMatch(/no rate that the replica kept up with/);
  });
});
