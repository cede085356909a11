import type { Behaviour } from '../resource.ts';

const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {};

/** What a built-in kind does beyond storage. */
export function behaviourOf(collection: string): Behaviour {
  return BEHAVIOURS[collection] ?? {};
}
