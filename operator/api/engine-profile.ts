/** Profiles of a pool: engine settings that models name. */
import { z } from 'zod';
import { PROFILE_NAMES, PROFILE_SETTINGS } from '../vllm/engine-profiles.ts';
import { shapeOf } from '../vllm/setting.ts';
import { dnsLabel } from './common.ts';

const BUILT_IN = PROFILE_NAMES.map((name) => `\`${name}\``).join(', ');

/** Name of a profile that a model or pool uses. Whether it exists depends on the pool. */
export const engineProfileName = z
  .string()
  .min(1)
  .max(63)
  .regex(
    /^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?$/,
    'use letters, digits and hyphens; begin and end with a letter or digit',
  )
  .describe(
    `Settings for a purpose: ${BUILT_IN}, or a profile of the pool (\`profiles\`). They apply where neither the model nor the pool sets a field. A model's profile replaces that of its pool.`,
  );

const engineProfile = z.object({
  name: dnsLabel.describe('Name, in lower case.'),
  settings: z.object(shapeOf(PROFILE_SETTINGS)).describe('The engine settings, as in `engine`.'),
});

/** Profiles that a pool has in addition to those of the operator. */
export const engineProfiles = z
  .array(engineProfile)
  .max(16)
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
  .describe(
    `Profiles of the pool, in addition to ${BUILT_IN}. A change replaces the engines of the models that use them.`,
  );
