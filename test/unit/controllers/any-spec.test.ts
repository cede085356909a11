/** Models are assessed, routed and bound for a whole pool together: no spec that the schema takes may throw there. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { assess } from '../../../operator/model/assess.ts';
import { boundsAt } from '../../../operator/model/bounds.ts';
import { renderModel } from '../../../operator/render/model.ts';
import { compileRouteModel } from '../../../operator/router/compile-route-table.ts';
import { arbitraryOf } from '../api/support/schema-arbitrary.ts';
import { specSchema, withDefaults } from '../api/support/schemas.ts';
import { resolutionOf } from '../model/support/resolve.ts';
import { aModel, aPool } from './fixtures.ts';

it('resolves any model without an unexpected error', () => {
  const schema = specSchema('InferenceModel');
  const pool = aPool();
  fc.assert(
    fc.property(arbitraryOf(schema), (written) => {
      const model = { ...aModel('any'), spec: withDefaults(schema, written) } as ReturnType<typeof aModel>;
      const resolution = resolutionOf(pool, model);
      boundsAt(resolution.scaling, 0);
      const { engine } = resolution;
      if (engine) compileRouteModel(pool, { model, engine, slices: [], state: 'Idle' });
      const assessment = assess(model, {
        pool: () => pool,
        hasEngines: () => false,
        resolve: () => resolution,
        verdict: () => ({ accepted: true }),
        claimModes: () => () => undefined,
        now: 0,
      });
      if (assessment.kind === 'accepted') renderModel(assessment.model);
      else expect(assessment.issues).not.toEqual([]);
    }),
    { numRuns: 300 },
  );
});
