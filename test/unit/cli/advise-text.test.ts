import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { advise } from '../../../operator/advice/advise.ts';
import type { AdvisedModel } from '../../../operator/cli/advise-cluster.ts';
import { adviceText } from '../../../operator/cli/advise-text.ts';
import { evidence, subject } from '../advice/support/subjects.ts';
import { pool } from '../render/support/objects.ts';

function advised(days: number, where = {}): AdvisedModel {
  const seen = evidence(days, () => ({ peakInFlight: 25 }));
  const given = subject({ scaling: { minReplicas: 6, maxReplicas: 8 } }, where);
  return { model: 'team-a/assistant', pool: 'platform/gpus', evidence: seen, ...advise(given, seen) };
}

it('shows what is saved, what was seen, and a patch for kubectl', () => {
  const text = adviceText([advised(7)], 'table');
  expect(text).toMatch(/team-a\/assistant +ReplicasUnused +4380\.00 +1460 +lower minReplicas from 6 to 4\n/);
  expect(text).toContain(
    'seen in 7.0 days until 2026-11-28T00:00:00.000Z: the operator saw at most 25 requests in flight or waiting',
  );
  const [, patch = ''] = /--type merge --patch '\n(spec:.*?)'/s.exec(text) ?? [];
  expect(text).toContain('kubectl patch inferencemodel assistant --namespace team-a --type merge');
  expect(parse(patch)).toEqual({ spec: { scaling: { minReplicas: 4, maxReplicas: 8 } } });
  expect(text).not.toContain('~');
});

it('marks prices of the catalog, and says which evidence is lacking', () => {
  expect(adviceText([advised(7, { pool: pool('H100') })], 'table')).toMatch(
    /~4307\.00.*\n~ from rough prices/s,
  );
  expect(adviceText([advised(2)], 'table')).toBe(
    'there is no advice\n\nNot enough evidence yet:\n' +
      'team-a/assistant: ReplicasUnused, KVCacheUnused: needs 7 days of record with running replicas; there are 2.0\n' +
      'team-a/assistant: QuietHours: needs 14 days of record with running replicas; there are 2.0\n' +
      'team-a/assistant: ContextUnused: needs 7 days of record; there are 2.0\n',
  );
});

it('says where to look if the namespace has no models', () => {
  expect(adviceText([], 'table')).toMatch(/no model .* here: .* -n, .* --all-namespaces/);
});

it('is complete as JSON', () => {
  const { models } = JSON.parse(adviceText([advised(7)], 'json')) as { models: AdvisedModel[] };
  expect(models[0]).toMatchObject({
    model: 'team-a/assistant',
    pool: 'platform/gpus',
    from: '2026-11-21T00:00:00.000Z',
    until: '2026-11-28T00:00:00.000Z',
    advice: [
      {
        rule: 'ReplicasUnused',
        patches: [{ kind: 'InferenceModel', namespace: 'team-a', name: 'assistant' }],
        saving: { acceleratorHours: 1_460, money: 4_380, isEstimate: false },
      },
      { rule: 'ContextUnused' },
    ],
    lacks: [{ rule: 'QuietHours', needs: '14 days of record with running replicas; there are 7.0' }],
  });
});
