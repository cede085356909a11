/** `vllm-operator plan --load`: how many accelerators a load needs, with which settings, and what they cost. */
import { stringify } from 'yaml';
import { assumptionsOf } from '../planning/assumptions.ts';
import type { Load } from '../planning/load.ts';
import { type Measurement, measurementIssue } from '../planning/measured-performance.ts';
import { type LoadPlan, planLoad } from '../planning/plan-load.ts';
import { type Variant, whatIfs } from '../planning/what-ifs.ts';
import { printable } from '../values/printable.ts';
import { describeIssue } from '../values/spec-issue.ts';
import { type LoadOptions, readLoad } from './load-file.ts';
import { comparisonText, loadPlanText } from './load-text.ts';
import { readMeasurement } from './measurement-file.ts';
import type { CommandOutput } from './problems.ts';

export type PlanFormat = 'table' | 'json' | 'yaml';

export interface PlanLoadOptions extends LoadOptions {
  config?: string[];
  /** Files whose loads are planned side by side. */
  compare?: string[];
  whatIf?: boolean;
  /** Results of `bench` as `accelerator=path`. */
  measured?: string[];
  output?: PlanFormat;
}

/** Plans one load, or several side by side. Returns 1 if a load is invalid or no accelerator meets its targets, else 0. */
export function planLoads(
  files: readonly string[],
  options: PlanLoadOptions,
  { write, fail }: CommandOutput,
): number {
  const { config = [], compare, whatIf = false, measured = [], output = 'table', ...fields } = options;
  const inputs = compare
    ? compare.map((file) => ({ name: file, ...readLoad([file], fields, config[0]) }))
    : [{ name: 'as asked', ...readLoad(files, fields, config[0]) }];
  const problems = inputs.flatMap((input) => input.problems);
  if (config.length > 1) problems.push(`--config ${config[1]}: a load has one model; pass one file`);
  const measurements = measurementsOf(measured, inputs, problems);
  for (const line of problems) fail(`${line}\n`);
  if (problems.length > 0) return 1;
  const variants = inputs.flatMap(({ name, load }): Variant[] => {
    if (load === undefined) return [];
    return whatIf ? whatIfs(load, measurements) : [{ name, load, plan: planLoad(load, measurements) }];
  });
  write(output === 'table' ? tables(variants, compare !== undefined) : data(variants, output));
  // What-ifs need not meet the targets; what was asked for has to.
  const asked = compare ? variants : variants.slice(0, 1);
  const failed = asked.filter(({ plan }) => plan.cheapest === undefined);
  for (const { name, plan } of failed) fail(`${name}: ${nearest(plan)}\n`);
  return failed.length > 0 ? 1 : 0;
}

/** The measurements, each of which has to be of the loads. What is wrong is added to `problems`. */
function measurementsOf(
  options: readonly string[],
  inputs: readonly { load?: Load }[],
  problems: string[],
): Measurement[] {
  return options.flatMap((option) => {
    try {
      const measurement = readMeasurement(option);
      const issues = inputs.flatMap(({ load }) => (load && measurementIssue(measurement, load)) ?? []);
      problems.push(...issues.map(describeIssue));
      return [measurement];
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      problems.push(printable(error.message));
      return [];
    }
  });
}

function tables(variants: readonly Variant[], compared: boolean): string {
  const [first] = variants;
  if (first === undefined) return '';
  if (compared) return comparisonText(variants);
  const text = loadPlanText(first.load, first.plan);
  return variants.length === 1 ? text : `${text}\nWhat if:\n${comparisonText(variants)}`;
}

function data(variants: readonly Variant[], format: 'json' | 'yaml'): string {
  const plans = variants.map((variant) => ({ name: variant.name, ...dataOf(variant) }));
  const content = plans.length === 1 ? plans[0] : { plans };
  return format === 'json'
    ? `${JSON.stringify(content, null, 2)}\n`
    : stringify(content, { aliasDuplicateObjects: false });
}

function dataOf({ load, plan }: { load: Load; plan: LoadPlan }) {
  const { cheapest, ...rest } = plan;
  return {
    load,
    cheapest: cheapest?.accelerator ?? null,
    ...rest,
    assumptions: assumptionsOf(load, plan.demand),
  };
}

function nearest({ options }: LoadPlan): string {
  const [best] = options;
  if (best === undefined) return 'no accelerator can be planned; the lines above say why';
  return `no accelerator meets the targets; the nearest is ${best.accelerator}: ${best.missed.join(', ')}; relax the targets, shorten the output, or try --what-if`;
}
