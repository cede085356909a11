import { expect, it } from 'vitest';
import { resolveScaling } from '../../../operator/model/resolve-scaling.ts';
import { scalingTarget } from '../../../operator/model/scaling-target.ts';
import { model, pool } from '../render/support/objects.ts';

it.each([
  ['70 % of what a replica runs', 256, {}, undefined, 179],
  ['70 % of the most that adaptive concurrency allows', 256, {}, { max: 64 }, 44],
  ['not more than a replica runs', 32, {}, { max: 64 }, 22],
  ['its own', 256, { target: 100 }, { max: 64 }, 100],
])('a model without scaling.target or with one has %s', (_, capacity, own, adaptiveConcurrency, target) => {
  const { scaling } = resolveScaling({ minReplicas: 1, maxReplicas: 4, ...own });
  const admission = adaptiveConcurrency && { adaptiveConcurrency };
  const of = model('hf://org/name', { ...(admission && { admission }) });
  expect(scalingTarget(scaling, { capacity }, pool('L4'), of)).toBe(target);
});
