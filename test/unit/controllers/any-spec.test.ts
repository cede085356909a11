/** Routes and bounds are made for all models of a pool together: no spec that the schema takes may throw there. */
import fc from 'fast-check';
import { it } from 'vitest';
import { resolveEngine } from '../../../operator/model/settings.ts';
import { compileRouteModel } from '../../../operator/router/compile-route-table.ts';
import { boundsAt } from '../../../operator/scaling/bounds.ts';
import { ScheduleError } from '../../../operator/scaling/cron-edge.ts';
import { InvalidSpecError } from '../../../operator/values/spec-issue.ts';
import { arbitraryOf } from '../api/support/schema-arbitrary.ts';
import { specSchema, withDefaults } from '../api/support/schemas.ts';
import { aModel, aPool } from './fixtures.ts';

/** The result, or undefined for an error of this kind; any other is thrown. */
function unless<T>(expected: new (...args: never[]) => Error, make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof expected) return undefined;
    throw error;
  }
}

it('takes a model apart without an error that nobody expects', () => {
  const schema = specSchema('InferenceModel');
  const pool = aPool();
  fc.assert(
    fc.property(arbitraryOf(schema), (written) => {
      const model = { ...aModel('any'), spec: withDefaults(schema, written) } as ReturnType<typeof aModel>;
      unless(ScheduleError, () => boundsAt(model.spec.scaling, 0));
      const engine = unless(InvalidSpecError, () => resolveEngine(pool, model));
      if (engine) compileRouteModel(pool, { model, engine, slices: [], state: 'Idle' });
    }),
    { numRuns: 300 },
  );
});
