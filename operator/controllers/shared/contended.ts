/** Reports children that somebody else keeps changing. */
import type { Fight } from '../../kube/applier.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { KubeObject } from '../../kube/object.ts';
import { earliest } from './requeue-after.ts';

/**
 * Emits an event for each, and returns after how many milliseconds to correct them: if nobody changes them again, no watch
 * tells of it.
 */
export function reportFights(
  events: EventRecorder,
  owner: KubeObject,
  fights: readonly Fight[],
): number | undefined {
  for (const { type, key, managers } of fights) {
    const by = managers.join(', ') || 'another client';
    events.emit(owner, {
      type: 'Warning',
      reason: 'Contended',
      action: 'Apply',
      note: `${type.kind} ${key} is repeatedly changed by ${by}; backing off`,
    });
  }
  return earliest(...fights.map(({ retryAfterMs }) => retryAfterMs));
}
