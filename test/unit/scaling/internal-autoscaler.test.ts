import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AutoscalerSettings,
  InternalAutoscaler,
} from '../../../operator/scaling/internal-autoscaler.ts';

/** Runs a trace of concurrency, one value a second, with replicas that are ready at once; returns the replicas per second. */
function simulate(trace: readonly (number | undefined)[], settings: AutoscalerSettings, start = 1): number[] {
  const scaler = new InternalAutoscaler();
  const replicas: number[] = [];
  let current = start;
  trace.forEach((concurrency, second) => {
    const now = second * 1_000;
    if (concurrency !== undefined) scaler.record(now, concurrency);
    current = scaler.decide(now, current, current, settings).replicas;
    replicas.push(current);
  });
  return replicas;
}

const settings = (more: Partial<AutoscalerSettings> = {}): AutoscalerSettings => ({
  target: 10,
  minReplicas: 1,
  maxReplicas: 10,
  ...more,
});
const seconds = (n: number, value: number | undefined) => new Array<number | undefined>(n).fill(value);

describe('InternalAutoscaler', () => {
  it('does not scale without data', () => {
    expect(simulate(seconds(30, undefined), settings(), 3).at(-1)).toBe(3);
  });

  it('settles at what the load needs', () => {
    expect(simulate(seconds(120, 35), settings()).at(-1)).toBe(4);
  });

  it('panics in a burst: up within seconds, and not down before a stable window without one', () => {
    const replicas = simulate([...seconds(60, 5), ...seconds(10, 80), ...seconds(55, 5)], settings());
    expect(replicas[59]).toBe(1);
    expect(Math.max(...replicas.slice(60, 70))).toBe(8);
    expect(replicas.slice(70, 120).every((n) => n === 8)).toBe(true);
  });

  it('comes down after the burst, by no more than half at a time', () => {
    const replicas = simulate([...seconds(10, 80), ...seconds(700, 5)], settings());
    expect(replicas.at(-1)).toBe(1);
    for (const [i, n] of replicas.entries()) {
      expect(n).toBeGreaterThanOrEqual(Math.floor((replicas[i - 1] ?? n) / 2));
    }
  });

  it('never goes to zero', () => {
    expect(Math.min(...simulate(seconds(300, 0), settings({ minReplicas: 0 })))).toBe(1);
  });

  it('does not shrink on the little that a new leader has seen', () => {
    expect(simulate(seconds(30, 1), settings(), 6).every((n) => n === 6)).toBe(true);
  });

  it('ignores deviations within the tolerance', () => {
    const steady = [...seconds(70, 20), ...seconds(120, 21)];
    expect(simulate(steady, settings(), 2).at(-1)).toBe(2);
    expect(simulate(steady, settings({ scaleUp: { tolerance: '0' } }), 2).at(-1)).toBe(3);
  });

  it('obeys policies and stabilization of behavior', () => {
    const burst = [...seconds(5, 5), ...seconds(60, 100)];
    const slow = simulate(
      burst,
      settings({ scaleUp: { policies: [{ type: 'Pods', value: 1, periodSeconds: 30 }] } }),
    );
    expect(slow[20]).toBe(2);
    expect(simulate(burst, settings({ scaleUp: { selectPolicy: 'Disabled' } })).at(-1)).toBe(1);
    const down = [...seconds(70, 50), ...seconds(200, 5)];
    const held = simulate(down, settings({ scaleDown: { stabilizationWindowSeconds: 300 } }), 5);
    expect(held.at(-1)).toBe(5);
    const noWindow = settings({ scaleDown: { stabilizationWindowSeconds: 0 } });
    expect(simulate(down, noWindow, 5).at(-1)).toBe(1);
  });

  it('scales down after five minutes like an HPA, unless another model waits', () => {
    const trace = [...seconds(120, 25), ...seconds(400, 5)];
    const lastNeeded = (more: Partial<AutoscalerSettings>) =>
      simulate(trace, settings(more)).lastIndexOf(3) - 120;
    expect(lastNeeded({})).toBeGreaterThan(300);
    expect(lastNeeded({})).toBeLessThan(370);
    expect(lastNeeded({ neededElsewhere: true })).toBeLessThan(70);
  });

  it('does not flap around a target', () => {
    const trace = Array.from({ length: 3_600 }, (_, second) => (second % 180 < 90 ? 7 : 14));
    const replicas = simulate(trace, settings());
    expect(replicas.filter((n, i) => i > 0 && n !== replicas[i - 1])).toEqual([2]);
  });

  it('stays within its bounds on any trace', () => {
    const traces = fc.array(fc.option(fc.integer({ min: 0, max: 500 }), { nil: undefined }), {
      minLength: 1,
      maxLength: 200,
    });
    fc.assert(
      fc.property(
        traces,
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 3, max: 9 }),
        (trace, minReplicas, maxReplicas) => {
          for (const n of simulate(trace, settings({ minReplicas, maxReplicas }), minReplicas)) {
            expect(n).toBeGreaterThanOrEqual(minReplicas);
            expect(n).toBeLessThanOrEqual(maxReplicas);
          }
        },
      ),
    );
  });
});
