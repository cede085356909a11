/** Settings of the vLLM engine. A model overrides those of its pool field by field. Defaults are applied after the merge. */
import { z } from 'zod';
import { DEFAULTS } from '../values/defaults.ts';
import { matching } from '../values/matching.ts';
import { type Rule, withRules } from '../values/rule.ts';
import { duration } from '../values/scalars.ts';
import { PROFILE_NAMES } from '../vllm/engine-profiles.ts';
import { shapeOf } from '../vllm/setting.ts';
import { SETTINGS } from '../vllm/settings.ts';
import { flagName, TYPED_FLAGS } from '../vllm/typed-flags.ts';
import { envVars } from './common.ts';
import { engineProfileName, engineProfiles } from './engine-profile.ts';

const extraArg = withRules(z.string().min(1).max(1024), [
  {
    // Not with split, because the API server cannot bound the length of the items and so rejects the estimated cost.
    rule: "!self.matches('^-[^= ]* ')",
    problem: 'a flag and its value are one item, which vLLM would parse as the name of a flag',
    remedy: 'join them with =, or split them into two items',
    holds: (self) => !/^-[^= ]* /.test(self),
  },
]);

const TYPED_FLAG_MESSAGES = `{${[...TYPED_FLAGS].map(([flag, { problem, remedy }]) => `'${flag}': '${problem}: ${remedy}'`).join(', ')}}`;
const CEL_FLAG_NAME = "arg.replace('_', '-').replace('.', '=').split('=')[0]";
const CEL_FLAGS = `[${[...TYPED_FLAGS.keys()].map((flag) => `'${flag}'`).join(', ')}]`;

const extraArgsRule: Rule<string[]> = {
  rule: `self.all(arg, !(${CEL_FLAG_NAME} in ${CEL_FLAGS}))`,
  messageExpression: `self.map(arg, ${CEL_FLAG_NAME} in ${CEL_FLAGS}, ${TYPED_FLAG_MESSAGES}[${CEL_FLAG_NAME}])[0]`,
  problem: 'an argument repeats a typed setting or one that the operator sets',
  remedy: 'use the typed setting instead',
  reason: 'FieldValueForbidden',
  holds: (self) => self.every((argument) => !TYPED_FLAGS.has(flagName(argument))),
  explain: (self) =>
    self.flatMap((argument) => TYPED_FLAGS.get(flagName(argument)) ?? [])[0] ?? extraArgsRule,
};

export const engineSettings = z.object({
  profile: engineProfileName.optional(),
  image: z
    .string()
    .min(1)
    .max(512)
    .optional()
    .describe(
      'Engine image. Its vLLM version determines which flags exist. It is read from the tag of official vLLM images and their mirrors (`…/vllm/vllm-openai`, `…-rocm`, `…-cpu`); other images need `version`. A model that sets an image inherits neither `version` nor `command`.',
    ),
  command: z
    .array(z.string().min(1).max(512))
    .min(1)
    .max(16)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .optional()
    .describe(
      'Command for an image whose entry point is not `vllm serve`, such as `[vllm, serve]`. The arguments of `vllm serve` are appended, the model first.',
    ),
  version: matching(z.string().min(1).max(32), /^v?[0-9]+\.[0-9]+(\.[0-9]+)?$/, {
    problem: 'not a vLLM version',
    remedy: 'use a version such as v0.32.0',
  })
    .optional()
    .describe(
      'vLLM version of an image whose tag does not contain it, such as a digest, a private build or a vendor build.',
    ),
  ...shapeOf(SETTINGS),
  startupTimeout: duration
    .optional()
    .describe(`How long an engine may take to become healthy. Default ${DEFAULTS.engine.startupTimeout}.`),
  extraArgs: withRules(z.array(extraArg).max(64).meta({ 'x-kubernetes-list-type': 'atomic' }), [
    extraArgsRule,
  ])
    .optional()
    .describe(
      'Additional `vllm serve` arguments. One that repeats a typed setting is an error. Pool and model are merged by flag: a flag of the model replaces that of the pool, with its values.',
    ),
  env: envVars.optional().describe('Environment variables of the engine. Pool and model are merged by name.'),
});

/** Engine settings of a pool. */
export const poolEngineSettings = withRules(engineSettings.extend({ profiles: engineProfiles.optional() }), [
  {
    rule: `!has(self.profile) || self.profile in ${JSON.stringify(PROFILE_NAMES).replaceAll('"', "'")} || (has(self.profiles) && self.profiles.exists_one(own, own.name == self.profile))`,
    problem: 'the pool has no profile of this name',
    remedy: `use ${PROFILE_NAMES.join(', ')} or the name of one of the profiles`,
    fieldPath: '.profile',
    holds: ({ profile, profiles = [] }) =>
      profile === undefined ||
      (PROFILE_NAMES as string[]).includes(profile) ||
      profiles.filter(({ name }) => name === profile).length === 1,
  },
]);

export type EngineSettings = z.infer<typeof engineSettings>;
