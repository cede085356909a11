/** Models and what was seen of them, for tests of advice. */
import type { Evidence, HourSeen } from '../../../../operator/advice/evidence.ts';
import type { Subject } from '../../../../operator/advice/subject.ts';
import type { InferencePool } from '../../../../operator/api/types.ts';
import { EMPTY_BUCKET } from '../../../../operator/usage/bucket.ts';
import { DAY_MS, HOUR_MS } from '../../../../operator/usage/periods.ts';
import { resolved } from '../../model/support/resolve.ts';
import { model, pool } from '../../render/support/objects.ts';

/** A Saturday, at midnight. */
export const UNTIL = Date.parse('2026-11-28T00:00:00Z');

const LLAMA = 'hf://meta-llama/Llama-3.1-8B-Instruct';

type Settings = Parameters<typeof model>[1];

/** A model of 8 billion parameters on one H100 for 3 an hour, with a target of 10 requests. */
export function subject(settings: Settings, where: Partial<Subject> = {}): Subject {
  const at = where.pool ?? pool('H100', { accelerator: { hourlyCost: '3' } });
  const { scaling, ...rest } = settings ?? {};
  const own = model(LLAMA, { engine: { maxModelLen: 32_768 }, ...rest, ...(scaling && { scaling }) });
  return { ...resolved(at, own), target: 10, otherPools: [], isAlone: false, ...where };
}

/** Another pool that the model may use. */
export function otherPool(type: string, hourlyCost?: string): InferencePool {
  return pool(type, hourlyCost === undefined ? {} : { accelerator: { hourlyCost } }, 'others');
}

/** A record of some days, each hour as `seen` says. Requests of 500 tokens come in every hour otherwise. */
export function evidence(
  days: number,
  seen: (hour: number) => Partial<HourSeen> = () => ({}),
  more: Partial<Evidence> = {},
): Evidence {
  const from = UNTIL - days * DAY_MS;
  const hours = Array.from({ length: Math.round(days * 24) }, (_, index): HourSeen => {
    const at = from + index * HOUR_MS;
    return {
      ...EMPTY_BUCKET,
      at,
      readyMs: HOUR_MS,
      watchedMs: HOUR_MS,
      peakInFlight: 4,
      requests: 100,
      longestRequest: 500,
      ...seen(new Date(at).getUTCHours()),
    };
  });
  return { from, until: UNTIL, hours, asleepMs: 0, ...more };
}
