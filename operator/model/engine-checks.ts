/** Checks of a merged engine configuration. Each check returns issues; none throws. */
import type { SpecIssue } from '../values/spec-issue.ts';
import {
  type ArgumentsFor,
  checkExtraArgs,
  flagsIn,
  problemOfAbsence,
  problemOfFlagValue,
} from '../vllm/extra-args.ts';
import { flagNamed } from '../vllm/flags.ts';
import { quantizationObstacle } from '../vllm/quantization.ts';
import { compareVersions, formatVersion, isOfficialImage, OLDEST_VERSION } from '../vllm/versions.ts';
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
function checkArguments(engine: ArgumentsFor, { pool, model }: EngineInput): SpecIssue[] {
  const all = pool.spec.engine?.extraArgs ?? [];
  const own = model.spec.engine?.extraArgs ?? [];
  const positions = inheritedArguments(all, own);
  const inherited = positions.flatMap((at) => all[at] ?? []);
  const field = (at: number): string => `spec.engine.extraArgs[${at}]`;
  const poolField = (at: number): string =>
    `${field(positions[at] ?? at)} of InferencePool ${pool.metadata.name}`;
  return [...checkExtraArgs(inherited, engine, poolField), ...checkExtraArgs(own, engine, field)];
}

const checkFlags: Check = (engine, input) => {
  const target: ArgumentsFor = { version: engine.version, stock: isOfficialImage(engine.image) };
  const others = flagsIn(engine.extraArgs, engine.version);
  const issues = flagRequests(engine).flatMap(({ flag, value, field }): SpecIssue[] => {
    const place = settingField(input, field.replace(/^engine\./, ''));
    const absence = problemOfAbsence(flagNamed(flag), engine.version);
    if (absence !== undefined) return [{ field: place, value: undefined, ...absence }];
    const texts = typeof value === 'boolean' ? [] : [value].flat();
    return texts.flatMap((text) => {
      const problem = problemOfFlagValue(flag, text, target, others);
      return problem === undefined ? [] : [{ field: place, value: text, ...problem }];
    });
  });
  return [...issues, ...checkArguments(target, input)];
};

/** The method goes into JSON, and its flag has the names that the version takes. */
const checkSpeculation: Check = (engine, input) => {
  const method = engine.settings.speculative?.method;
  if (method === undefined) return [];
  const target: ArgumentsFor = { version: engine.version, stock: isOfficialImage(engine.image) };
  const problem = problemOfFlagValue('spec-method', method, target, new Set());
  const field = settingField(input, 'speculative.method');
  return problem === undefined ? [] : [{ field, value: method, ...problem }];
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
  const obstacle = quantizationObstacle(method, engine.accelerator);
  return obstacle === undefined
    ? []
    : [{ field: settingField(input, 'quantization'), value: method, ...obstacle }];
};

/** The schema checks this of one object. Here, model, pool and profile may each set one of both. */
const checkBatching: Check = (engine, input) => {
  const tokens = engine.settings.batching?.maxNumBatchedTokens;
  if (tokens === undefined || tokens >= engine.maxNumSeqs) return [];
  return [
    {
      field: settingField(input, 'batching.maxNumBatchedTokens'),
      value: tokens,
      reason: `it is below ${settingField(input, 'batching.maxNumSeqs')}, which is ${engine.maxNumSeqs}, and vLLM refuses that`,
      remedy: `set spec.engine.batching.maxNumBatchedTokens of the InferenceModel to ${engine.maxNumSeqs} or more, or lower maxNumSeqs`,
    },
  ];
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
  checkBatching,
  checkContext,
  checkFlags,
  checkSpeculation,
  checkAdapters,
  checkRevision,
];

/** All issues of an engine configuration. */
export function checkEngine(engine: MergedEngine, input: EngineInput): SpecIssue[] {
  return CHECKS.flatMap((check) => check(engine, input));
}
