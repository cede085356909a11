import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type EvacuationInput,
  type EvacuationPlan,
  type PodNotice,
  planEvacuation,
} from '../../../../operator/controllers/evacuation/evacuation-plan.ts';
import { isReleased, type Pod } from '../../../../operator/controllers/shared/workloads.ts';
import { EVACUATING_LABEL } from '../../../../operator/render/labels.ts';

interface Engine {
  name: string;
  ready?: boolean;
  released?: boolean;
  ending?: boolean;
  failed?: boolean;
  notice?: Partial<PodNotice> | undefined;
}

function plan(engines: Engine[], more: Partial<EvacuationInput> = {}): EvacuationPlan {
  const notices = new Map<string, PodNotice>();
  const pods = engines.map(({ name, ready = true, released, ending, failed, notice }): Pod => {
    if (notice || released) notices.set(name, { source: 'taint', certain: true, repelled: true, ...notice });
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        uid: name,
        ...(released && { labels: { [EVACUATING_LABEL]: 'true' } }),
        ...(ending && { deletionTimestamp: 'now' }),
      },
      spec: {},
      status: {
        phase: failed ? 'Failed' : 'Running',
        conditions: [{ type: 'Ready', status: ready && !failed ? 'True' : 'False' }],
      },
    };
  });
  return planEvacuation({
    pods,
    noticeOf: (pod) => notices.get(pod.metadata.name),
    isReleased,
    desired: 1,
    isDraining: false,
    room: () => Number.POSITIVE_INFINITY,
    isDrained: () => false,
    ...more,
  });
}

const steps = (engines: Engine[], more: Partial<EvacuationInput> = {}) =>
  plan(engines, more).steps.map((step) => `${step.do} ${step.pod.metadata.name}`);
const noticed = (name: string, more: Partial<Engine> = {}): Engine => ({ name, notice: {}, ...more });

describe('an engine on a node that is about to be removed', () => {
  it('is replaced first, and serves until another engine does', () => {
    const { steps: done, leaving } = plan([noticed('a')]);
    expect(done).toMatchObject([{ do: 'replace', pod: { metadata: { name: 'a' } } }]);
    expect(leaving).toEqual({ pods: new Set(['a']), evenLast: false });
  });

  it('stays until as many others are ready as there are to be', () => {
    const released = { name: 'a', released: true };
    expect(steps([released, { name: 'b', ready: false }])).toEqual([]);
    expect(steps([released, { name: 'b' }])).toEqual(['delete a']);
    expect(steps([released, { name: 'b' }, { name: 'c', ready: false }], { desired: 2 })).toEqual([]);
    expect(steps([released, { name: 'b' }, { name: 'c' }], { desired: 2 })).toEqual(['delete a']);
  });

  it('goes at once when the model sleeps, takes nothing then, and is not replaced while it drains', () => {
    const asleep = plan([{ name: 'a', released: true }], { desired: 0 });
    expect(asleep.steps).toMatchObject([{ do: 'delete' }]);
    expect(asleep.leaving?.evenLast).toBe(true);
    expect(steps([noticed('a')], { isDraining: true })).toEqual([]);
  });

  it('drains without room, also as the last one, and goes when it has', () => {
    const full = { room: () => 0 };
    const { steps: done, leaving } = plan([noticed('a')], full);
    expect(done).toMatchObject([{ do: 'drain' }]);
    expect(leaving).toEqual({ pods: new Set(['a']), evenLast: true });
    const drained = plan([noticed('a')], { ...full, isDrained: () => true });
    expect(drained.steps).toMatchObject([{ do: 'delete' }]);
    expect(drained.leaving?.evenLast).toBe(true);
    expect(plan([noticed('a'), { name: 'b', ready: false }], { ...full, desired: 2 }).leaving?.evenLast).toBe(
      false,
    );
  });

  it('keeps serving without room if the node may stay', () => {
    const { steps: done, leaving } = plan([noticed('a', { notice: { certain: false } })], { room: () => 0 });
    expect(done).toMatchObject([{ do: 'keep' }]);
    expect(leaving).toBeUndefined();
  });

  it('is replaced for as many as there is room', () => {
    const engines = [noticed('a'), noticed('b'), noticed('c')];
    expect(steps(engines, { desired: 3, room: () => 2 })).toEqual(['replace a', 'replace b', 'drain c']);
    expect(plan(engines, { desired: 3, room: () => 2 }).leaving?.evenLast).toBe(false);
  });

  it('is deleted when it was not ready yet', () => {
    expect(steps([noticed('a', { ready: false })])).toEqual(['delete a']);
    expect(steps([noticed('a', { ready: false, notice: { certain: false } })])).toEqual([]);
  });

  it('is left alone where its replacement would come to the same node, or is there already', () => {
    expect(steps([noticed('a', { notice: { repelled: false } })])).toEqual([]);
    expect(plan([noticed('a', { notice: { repelled: false } })]).leaving?.pods).toEqual(new Set(['a']));
    expect(steps([noticed('a'), { name: 'b' }])).toEqual([]);
    expect(steps([noticed('a', { ending: true })])).toEqual([]);
  });

  it('is replaced again when the node of its replacement goes too', () => {
    expect(steps([{ name: 'a', released: true }, noticed('b')])).toEqual(['replace b']);
  });

  it('leaves nothing behind that has ended', () => {
    expect(
      steps([
        { name: 'a', released: true, failed: true },
        { name: 'b', ready: false },
      ]),
    ).toEqual(['delete a']);
    expect(steps([noticed('a', { failed: true })])).toEqual([]);
  });
});

it('does nothing without a notice', () => {
  expect(plan([{ name: 'a' }, { name: 'b', ready: false }])).toEqual({ steps: [] });
});

it('never replaces more than there is room for, and never deletes the last that serves before another does', () => {
  const engine = fc.record({
    ready: fc.boolean(),
    released: fc.boolean(),
    notice: fc.option(fc.record({ certain: fc.boolean(), repelled: fc.boolean() }), { nil: undefined }),
  });
  fc.assert(
    fc.property(
      fc.array(engine, { maxLength: 6 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 0, max: 3 }),
      (engines, desired, room) => {
        const named = engines.map((one, i) => ({ ...one, name: `e${i}` }));
        const { steps: done } = plan(named, { desired, room: () => room });
        expect(done.filter((step) => step.do === 'replace').length).toBeLessThanOrEqual(
          Math.min(room, desired),
        );
        const deleted = new Set(
          done.flatMap(({ do: what, pod }) => (what === 'delete' ? [pod.metadata.name] : [])),
        );
        const serving = named.filter(({ ready }) => ready);
        if (serving.length > 0)
          expect(serving.filter(({ name }) => !deleted.has(name)).length).toBeGreaterThan(0);
      },
    ),
  );
});
