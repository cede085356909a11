/** Loads that `plan --load` refuses: with field, value, reason and remedy, never with a stack trace. */
import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PlanLoadOptions, planLoads } from '../../../operator/cli/plan-loads.ts';
import type { LoadPlan } from '../../../operator/planning/plan-load.ts';
import { fileWriter, withOutput } from '../render/support/command.ts';
import { load } from './support/a-load.ts';

const file = fileWriter();
const run = (files: string[], options: PlanLoadOptions = {}) =>
  withOutput((output) => planLoads(files, options, output));

const facts = { parametersBillions: '7', layers: 32, attentionHeads: 32, kvHeads: 8, headDim: 128 };
const loadFile = (more: object = {}) => file('load.yaml', JSON.stringify({ load: { ...load, ...more } }));

describe('what is refused', () => {
  it.each([
    [
      'an unknown field',
      { burst: 3 },
      'load.burst 3: there is no such field; correct the name, or remove it',
    ],
    ['an unknown field of a group', { engine: { tp: 2 } }, 'load.engine.tp 2: there is no such field'],
    [
      'an unknown product',
      { prices: { K80: 1 } },
      'load.prices.K80 1: there is no such product in the catalog; use one of A100, ',
    ],
    [
      'no rate',
      { requestsPerDay: undefined },
      'neither it nor load.requestsPerSecond is set; set one of the two',
    ],
    ['two rates', { requestsPerSecond: 1 }, 'both it and load.requestsPerSecond is set'],
    ['tokens below 1', { promptTokens: 0 }, 'load.promptTokens 0: too small; at least 1'],
    [
      'a target without unit',
      { targets: { latencyP99: '200' } },
      'load.targets.latencyP99 "200": not a duration; use numbers with the units ms, s, m or h',
    ],
    [
      'a model without scheme',
      { model: 'Mistral-7B' },
      "unknown model source 'Mistral-7B'; use hf://org/name",
    ],
    ['an unknown model', { model: 'hf://acme/own' }, 'it is not in the catalog; pass its config.json'],
    ['a model that generates nothing', { facts: { ...facts, cachedLayers: 0 } }, 'it has no KV cache'],
    [
      'parameters that are none',
      { facts: { ...facts, parametersBillions: '0' } },
      'load.facts.parametersBillions "0": a token uses',
    ],
    ['a request that is too long', { promptTokens: 40_000 }, 'longer than the 32768 that the model allows'],
  ])('%s', (_, more, said) => {
    const { code, out, err } = run([loadFile(more)]);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(said);
    expect(err).toMatch(/load\.yaml: load\./);
  });

  it.each([
    ['no block', 'a: 1', 'there is no load'],
    ['two blocks', 'load: {}\n---\nload: {}', 'there are 2 loads'],
    ['an empty block', 'load:', 'load.model: it is required; set it'],
    ['a list', 'load: [1]', 'load [1]: expected object'],
    ['no YAML', 'load: [', 'not YAML'],
    ['an object that contains itself', 'load: &a { facts: *a }', 'contains itself'],
  ])('a file with %s', (_, text, said) => {
    const { code, err } = run([file('load.yaml', text)]);
    expect(code).toBe(1);
    expect(err).toContain(said);
  });

  it('texts that a terminal would act on', () => {
    const { code, out } = run([loadFile({ model: 's3://a/\u001b[2Jb', facts })]);
    expect(code).toBe(0);
    expect(out).not.toContain('\u001b');
  });

  it('loads that no pool can serve, in no time', () => {
    const huge = { requestsPerDay: undefined, requestsPerSecond: 1e7 };
    const { options, notPlanned } = JSON.parse(
      run([loadFile({ ...huge, availability: 99.9999, replicaAvailability: 50 })], { output: 'json' }).out,
    ) as LoadPlan;
    expect(options).toEqual([]);
    expect(notPlanned[0]?.reason).toContain('more than 10,000 replicas');
  });

  it('nothing without a reason, whatever is in the file', () => {
    const anyLoad = fc.record(
      {
        model: fc.constantFrom(
          'hf://acme/own',
          'hf://meta-llama/Llama-3.1-8B',
          'hf://openai/gpt-oss-20b',
          'a',
        ),
        facts: fc.record(
          {
            parametersBillions: fc.constantFrom('0', '0.1', '7', '9999'),
            layers: fc.integer({ min: 1, max: 1024 }),
            attentionHeads: fc.integer({ min: 1, max: 4096 }),
            kvHeads: fc.integer({ min: 1, max: 4096 }),
            headDim: fc.integer({ min: 1, max: 4096 }),
            cachedLayers: fc.integer({ min: 0, max: 1024 }),
            vocabularySize: fc.constantFrom(1, 16_777_216),
          },
          { requiredKeys: ['parametersBillions', 'layers', 'attentionHeads', 'kvHeads', 'headDim'] },
        ),
        requestsPerDay: fc.double({ min: 1e-9, max: 1e12, noNaN: true }),
        peakFactor: fc.double({ min: 1, max: 1000, noNaN: true }),
        promptTokens: fc.constantFrom(1, 100, 4000, 16_777_216),
        outputTokens: fc.constantFrom(1, 2, 4000),
        cachedPromptShare: fc.double({ min: 0, max: 0.99, noNaN: true }),
        targets: fc.record(
          { latencyP99: fc.constantFrom('0ms', '1ms', '99999999h'), timePerToken: fc.constant('1s') },
          { requiredKeys: [] },
        ),
        availability: fc.double({ min: 1, max: 99.9999, noNaN: true }),
        spareReplicas: fc.integer({ min: 0, max: 1000 }),
        engine: fc.record(
          {
            tensorParallelSize: fc.constantFrom(1, 2, 8),
            maxModelLen: fc.constantFrom(8192, 16_777_216),
            maxNumSeqs: fc.constantFrom(1, 4096),
            maxNumBatchedTokens: fc.constantFrom(64, 262_144),
            quantization: fc.constantFrom('fp8', 'awq', 'none-such'),
            kvCacheDtype: fc.constantFrom('fp8', 'none-such'),
          },
          { requiredKeys: [] },
        ),
        speculative: fc.record({
          numSpeculativeTokens: fc.constantFrom(1, 16),
          acceptedShare: fc.constantFrom(0, 0.99),
        }),
      },
      { requiredKeys: ['model', 'promptTokens', 'outputTokens', 'requestsPerDay'] },
    );
    const path = file('any.yaml', '');
    fc.assert(
      fc.property(anyLoad, (any) => {
        writeFileSync(path, JSON.stringify({ load: any }));
        const { code, out, err } = run([path], { whatIf: true });
        expect(code === 0 ? out : err).not.toBe('');
        expect(out).not.toMatch(/NaN|undefined|-Infinity/);
      }),
      { numRuns: 80 },
    );
  });

  it('prices that are none, and files that are missing', () => {
    expect(run([loadFile()], { price: ['H100'] }).err).toContain('load.prices.H100 ""');
    expect(run([loadFile()], { price: ['H100=cheap'] }).err).toContain('load.prices.H100 "cheap"');
    expect(run(['/nowhere/load.yaml']).err).toContain('cannot be read');
    expect(run([loadFile()], { config: ['/nowhere'] }).err).toContain('--config /nowhere: ');
  });
});
