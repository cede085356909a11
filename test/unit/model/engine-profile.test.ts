import { describe, expect, it } from 'vitest';
import { renderFlags } from '../../../operator/model/engine-args.ts';
import { describeProfile } from '../../../operator/model/engine-profile.ts';
import type { MergedEngine } from '../../../operator/model/merged-engine.ts';
import { InvalidSpecError } from '../../../operator/values/spec-issue.ts';
import { PROFILE_NAMES } from '../../../operator/vllm/engine-profiles.ts';
import { MINORS } from '../../../operator/vllm/flag-facts.ts';
import { aModel, aPool } from '../controllers/fixtures.ts';
import { merged } from './support/resolve.ts';

type Engine = Record<string, unknown>;

function engineOf(ofPool: Engine, ofModel: Engine, type = 'H100'): MergedEngine {
  return merged(aPool({ accelerator: { type }, engine: ofPool }), aModel('chat', { engine: ofModel }));
}

function refusal(ofPool: Engine, ofModel: Engine): string {
  try {
    engineOf(ofPool, ofModel);
  } catch (error) {
    if (error instanceof InvalidSpecError) return error.message;
    throw error;
  }
  throw new Error('it is not refused');
}

/** What an engine says of its profile. */
const said = ({ profile }: MergedEngine) => profile && describeProfile(profile);

const OWN = {
  profiles: [
    { name: 'measured', settings: { batching: { maxNumSeqs: 96, maxNumBatchedTokens: 4096 } } },
    { name: 'empty', settings: {} },
  ],
};

describe('an engine profile', () => {
  it('gives flags to an engine that sets nothing', () => {
    const engine = engineOf({}, { profile: 'Latency' });
    expect(engine.maxNumSeqs).toBe(64);
    expect(renderFlags(engine)).toEqual(
      expect.arrayContaining([
        '--max-num-seqs=64',
        '--max-num-batched-tokens=2048',
        '--performance-mode=interactivity',
      ]),
    );
    expect(said(engine)).toBe(
      'Latency (batching.maxNumSeqs 64, batching.maxNumBatchedTokens 2048, performanceMode "interactivity")',
    );
  });

  it('is overridden by fields of the model and of the pool, one by one', () => {
    const engine = engineOf(
      { batching: { maxNumBatchedTokens: 8192 } },
      { profile: 'Latency', batching: { maxNumSeqs: 16 } },
    );
    expect(engine.settings.batching).toEqual({ maxNumSeqs: 16, maxNumBatchedTokens: 8192 });
    expect(said(engine)).toBe(
      'Latency (performanceMode "interactivity"; overridden: batching.maxNumSeqs 16, batching.maxNumBatchedTokens 8192)',
    );
  });

  it('of the model replaces that of the pool', () => {
    expect(said(engineOf({ profile: 'Throughput' }, {}))).toMatch(/^Throughput/);
    const engine = engineOf({ profile: 'Throughput' }, { profile: 'Balanced' });
    expect(engine.settings.batching).toBeUndefined();
    expect(said(engine)).toBe('Balanced (performanceMode "balanced")');
    expect(said(engineOf({}, {}))).toBeUndefined();
  });

  it('may be one of the pool', () => {
    expect(engineOf(OWN, { profile: 'measured' }).settings.batching).toEqual({
      maxNumSeqs: 96,
      maxNumBatchedTokens: 4096,
    });
    expect(said(engineOf({ ...OWN, profile: 'measured' }, {}))).toContain('measured (batching.maxNumSeqs 96');
    expect(said(engineOf(OWN, { profile: 'empty' }))).toBe('empty (sets nothing)');
  });

  it('that does not exist is refused, with the ones that do', () => {
    expect(refusal(OWN, { profile: 'throughput' })).toBe(
      'spec.engine.profile "throughput": InferencePool pool has no profile of this name; use Throughput, Balanced, Latency, Safe, measured, empty, or add it to spec.engine.profiles of the pool',
    );
    expect(refusal({}, { profile: 'toString' })).toContain('has no profile of this name');
  });

  it('of a pool is checked like fields of the model, and blamed', () => {
    const profiles = [{ name: 'old', settings: { performanceMode: 'throughput' } }];
    expect(refusal({ profiles, version: 'v0.12.0', image: 'a/b' }, { profile: 'old' })).toMatch(
      /^spec\.engine\.profiles\[name=old\]\.settings\.performanceMode of InferencePool pool/,
    );
    expect(refusal({}, { profile: 'Latency', batching: { maxNumSeqs: 4096 } })).toBe(
      'spec.engine.batching.maxNumBatchedTokens by profile Latency 2048: it is below spec.engine.batching.maxNumSeqs, which is 4096, and vLLM refuses that; set spec.engine.batching.maxNumBatchedTokens of the InferenceModel to 4096 or more, or lower maxNumSeqs',
    );
  });

  it('has no step with fewer tokens than the context where prompts are not split', () => {
    const engine = engineOf({ batching: { chunkedPrefill: false } }, { profile: 'Latency' });
    expect(engine.settings.batching).toEqual({ maxNumSeqs: 64, chunkedPrefill: false });
    expect(said(engine)).toContain('not in this engine: batching.maxNumBatchedTokens');
  });

  it.each(MINORS)('of the operator is valid for vLLM %s, on every kind of accelerator', (minor) => {
    const version = `v${minor}.9`;
    for (const profile of PROFILE_NAMES) {
      for (const type of ['L4', 'A100', 'H100', 'MI300X', 'CPU']) {
        const image = type === 'CPU' ? 'vllm/vllm-openai-cpu' : 'vllm/vllm-openai';
        const engine = engineOf({ image: `${image}:${version}` }, { profile }, type);
        const { batching } = engine.settings;
        expect(batching?.maxNumBatchedTokens ?? engine.maxNumSeqs).toBeGreaterThanOrEqual(engine.maxNumSeqs);
        const mode = renderFlags(engine).some((flag) => flag.startsWith('--performance-mode'));
        expect(mode).toBe(profile !== 'Safe' && Number(minor.split('.')[1]) >= 17);
      }
    }
  });
});

it('an engine without a profile runs no more sequences than it has tokens in a step', () => {
  expect(engineOf({}, { batching: { maxNumBatchedTokens: 512 } }).maxNumSeqs).toBe(512);
});
