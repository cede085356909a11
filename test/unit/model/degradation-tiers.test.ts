import { describe, expect, it } from 'vitest';
import { inferenceModelSpec } from '../../../operator/api/inference-model.ts';
import { inferencePoolSpec } from '../../../operator/api/inference-pool.ts';
import { checkDegradation, degradationTiers } from '../../../operator/model/degradation-tiers.ts';
import { describeIssue } from '../../../operator/values/spec-issue.ts';

const pool = (admission: unknown = {}) => ({
  spec: inferencePoolSpec.parse({ accelerator: { type: 'L4' }, admission }),
});
const model = (admission?: unknown) => ({
  spec: inferenceModelSpec.parse({
    poolRef: { name: 'pool' },
    model: { source: 'hf://org/name' },
    ...(admission !== undefined && { admission }),
  }),
});

describe('tiers of degradation', () => {
  const tiers = [
    { queueAbove: 8, maxTokens: 512 },
    { p95Above: '5s', inFlightPercent: 50 },
    { queueAbove: 64, maxTokens: 128, maxPromptTokens: 4096 },
  ];

  it('have the limits of milder ones that they do not set', () => {
    expect(degradationTiers(pool({ degradation: tiers }), model())).toEqual([
      { queueAbove: 8, maxTokens: 512 },
      { p95Above: '5s', maxTokens: 512, inFlightPercent: 50 },
      { queueAbove: 64, maxTokens: 128, maxPromptTokens: 4096, inFlightPercent: 50 },
    ]);
  });

  it('of a model replace those of its pool, and an empty list disables them', () => {
    const own = [{ queueAbove: 1, maxTokens: 9 }];
    expect(degradationTiers(pool({ degradation: tiers }), model({ degradation: own }))).toEqual(own);
    expect(degradationTiers(pool({ degradation: tiers }), model({ degradation: [] }))).toEqual([]);
    expect(degradationTiers(pool(), model())).toEqual([]);
  });

  it.each([
    [
      'a queue that is never that long',
      { maxQueue: 8, degradation: [{ queueAbove: 8, maxTokens: 5 }] },
      'spec.admission.degradation[0].queueAbove 8: the queue never exceeds it, because admission.maxQueue is 8; set less than 8, or raise spec.admission.maxQueue',
    ],
    [
      'a queue that is never that long, by the pool',
      { degradation: [{ queueAbove: 9, maxTokens: 5 }] },
      'spec.admission.degradation[0].queueAbove 9: the queue never exceeds it, because admission.maxQueue of the pool is 9; set less than 9, or raise spec.admission.maxQueue',
    ],
    [
      'more tokens than the context has',
      { degradation: [{ queueAbove: 1, maxPromptTokens: 2048 }] },
      'spec.admission.degradation[0].maxPromptTokens 2048: it limits nothing, because prompt and answer together have at most 2048 tokens (engine.maxModelLen); set less than 2048',
    ],
  ])('of a model are refused for %s', (_, admission, issue) => {
    expect(checkDegradation(pool({ maxQueue: 9 }), model(admission), 2048).map(describeIssue)).toEqual([
      issue,
    ]);
  });

  it('of a pool are not checked against one model', () => {
    const shared = pool({ maxQueue: 9, degradation: [{ queueAbove: 8, maxTokens: 4096 }] });
    expect(checkDegradation(shared, model({ maxQueue: 5 }), 2048)).toEqual([]);
  });
});
