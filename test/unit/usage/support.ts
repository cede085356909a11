/** What tests ask of ledgers. */
import { type Bucket, EMPTY_BUCKET, total } from '../../../operator/usage/bucket.ts';
import type { Ledger } from '../../../operator/usage/ledger.ts';

/** All that a model used, however it is stored. */
export function allOf(ledger: Ledger, model: string): Bucket {
  const rows = [...ledger.days.values()].flatMap(({ models }) => [...(models.get(model)?.values() ?? [])]);
  const months = [...ledger.months.values()].map((models) => models.get(model) ?? EMPTY_BUCKET);
  return total([...rows, ...months]);
}
