/** Checks of a merged engine configuration. Each check returns issues; none throws. */

import type { SpecIssue } from '../values/spec-issue.ts';
import { checkExtraArgs, flagsIn } from '../vllm/extra-args.ts';
import { flagAvailability, flagNamed } from '../vllm/flags.ts';
import { quantizationObstacle } from '../vllm/quantization.ts';
import {
  compareVersions,
  type EngineVersion,
  formatVersion,
  isOfficialImage,
  OLDEST_VERSION,
} from '../vllm/versions.ts';
import { flagRequests } from './engine-args.ts';
import { inheritedArguments } from './merge-settings.ts';
import type { MergedEngine } from './merged-engine.ts';
import { checkParallelism } from './parallelism-checks.ts';
import { type EngineInput, settingField } from './setting-field.ts';

type Check = (engine: MergedEngine, input: EngineInput) => SpecIssue[];

const checkVersion: Check = (engine, input) => {
  const starts = compareVersions(engine.version, OLDEST_VERSION) >= 0 || !isOfficialImage(engine.image);
  if (starts || engine.settings.command !== undefined) return [];
  const reason = `vLLM's images before v${formatVersion(OLDEST_VERSION)} do not start with "vllm serve"`;
  const remedy = 'set engine.command to [vllm, serve], or use a newer image';
  return [{ field: settingField(input, 'image'), value: engine.image, reason, remedy }];
};

/** Checks both lists separately, so that an issue names the list in which the argument was written. */
function checkArguments(version: EngineVersion, { pool, model }: EngineInput): SpecIssue[] {
  const all = pool.spec.engine?.extraArgs ?? [];
  const own = model.spec.engine?.extraArgs ?? [];
  const positions = inheritedArguments(all, own);
  const inherited = positions.flatMap((at) => all[at] ?? []);
  const field = (at: number): string => `spec.engine.extraArgs[${at}]`;
  const poolField = (at: number): string =>
    `${field(positions[at] ?? at)} of InferencePool ${pool.metadata.name}`;
  return [...checkExtraArgs(inherited, version, poolField), ...checkExtraArgs(own, version, field)];
}

const checkFlags: Check = (engine, input) => {
  const issues = flagRequests(engine).flatMap(({ flag, field }): SpecIssue[] => {
    const known = flagNamed(flag);
    const availability = flagAvailability(known, engine.version);
    if (availability === 'available') return [];
    const since = availability === 'notYet' ? `since ${known.since}` : `until ${known.removed}`;
    return [
      {
        field: settingField(input, field.replace(/^engine\./, '')),
        value: undefined,
        reason: `it needs --${flag}, which vLLM has ${since}; the engine has version ${formatVersion(engine.version)}`,
        remedy: availability === 'notYet' ? 'remove it or use a newer image' : 'remove it',
      },
    ];
  });
  return [...issues, ...checkArguments(engine.version, input)];
};

const checkDtype: Check = (engine, input) => {
  const { dtype } = engine.settings;
  if (dtype !== 'bfloat16' || engine.accelerator.bf16 !== false) return [];
  const reason = `${engine.accelerator.product} has no bfloat16`;
  return [
    { field: settingField(input, 'dtype'), value: dtype, reason, remedy: 'use half, or leave it unset' },
  ];
};

const checkQuantization: Check = (engine, input) => {
  const method = engine.settings.quantization;
  if (method === undefined) return [];
  const stockImage = isOfficialImage(engine.image);
  const obstacle = quantizationObstacle(method, engine.accelerator, engine.version, stockImage);
  return obstacle === undefined
    ? []
    : [{ field: settingField(input, 'quantization'), value: method, ...obstacle }];
};

const checkContext: Check = (engine, input) => {
  const length = engine.settings.maxModelLen;
  const most = engine.model?.maxPositionEmbeddings;
  if (typeof length !== 'number' || most === undefined || length <= most) return [];
  const allowed = engine.env.some(
    (variable) => variable.name === 'VLLM_ALLOW_LONG_MAX_MODEL_LEN' && variable.value === '1',
  );
  // Overrides of the model's configuration may extend its context (RoPE scaling).
  const stretched = flagsIn(engine.extraArgs, engine.version).has('hf-overrides');
  if (allowed || stretched) return [];
  return [
    {
      field: settingField(input, 'maxModelLen'),
      value: length,
      reason: `the model reaches ${most} tokens, and vLLM does not start with more`,
      remedy: `set engine.maxModelLen of the InferenceModel to ${most} or less`,
    },
  ];
};

const checkAdapters: Check = (engine, input) => {
  const names = (engine.settings.lora?.adapters ?? []).map((adapter) => adapter.name);
  return names.flatMap((name, at): SpecIssue[] => {
    const field = `${settingField(input, 'lora.adapters')}[${at}].name`;
    if (!engine.servedNames.includes(name) && names.indexOf(name) === at) return [];
    const reason = 'the name is already used by the model or another adapter';
    return [{ field, value: name, reason, remedy: 'choose another name' }];
  });
};

/** Ids that vLLM resolves itself, so they must not have a revision or a scheme of this operator. */
const checkIds: Check = ({ settings }, input) => {
  const ids: [field: string, id: string | undefined][] = [
    ...(settings.lora?.adapters ?? []).map(({ source }, at): [string, string] => [
      `${settingField(input, 'lora.adapters')}[${at}].source`,
      source,
    ]),
    [settingField(input, 'speculative.model'), settings.speculative?.model],
  ];
  return ids.flatMap(([field, id]): SpecIssue[] => {
    if (id === undefined || !/^(hf:\/\/|[-\w.]+\/[-\w.]+[@:])/.test(id)) return [];
    const reason = 'vLLM accepts only org/name or a path in the container here, without a scheme or revision';
    const remedy = 'use org/name, or mount the revision with spec.template.volumes and use its path';
    return [{ field, value: id, reason, remedy }];
  });
};

const checkRevision: Check = (engine) => {
  if (engine.revision === undefined || engine.source.kind === 'hf') return [];
  const reason = 'only models from the Hugging Face Hub have revisions';
  return [{ field: 'spec.model.revision', value: engine.revision, reason, remedy: 'remove it' }];
};

const CHECKS: readonly Check[] = [
  checkVersion,
  checkParallelism,
  checkDtype,
  checkQuantization,
  checkContext,
  checkFlags,
  checkAdapters,
  checkIds,
  checkRevision,
];

/** All issues of an engine configuration. */
export function checkEngine(engine: MergedEngine, input: EngineInput): SpecIssue[] {
  return CHECKS.flatMap((check) => check(engine, input));
}
