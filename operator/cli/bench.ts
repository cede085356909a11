/** What `vllm-operator bench` does: checks, runs, compares, and writes the result. */
import { writeFileSync } from 'node:fs';
import { checkTarget, type TargetProblem } from '../bench/check-target.ts';
import { type Comparison, compareResults } from '../bench/compare-results.ts';
import type { LoadPlan } from '../bench/load-plan.ts';
import type { LoadResult } from '../bench/load-result.ts';
import { plotResults } from '../bench/plot-result.ts';
import { runLoad } from '../bench/run-load.ts';
import { printable } from '../values/printable.ts';
import { describeIssue } from '../values/spec-issue.ts';
import { readApiKey } from './api-key-file.ts';
import { type LoadCommandOptions, planOf } from './bench-options.ts';
import { comparisonText, loadResultText, mostThroughput } from './bench-text.ts';
import { INTERRUPTED } from './interrupted.ts';
import { readLoadResult } from './load-result-file.ts';
import type { CommandOutput } from './problems.ts';
import { ProgressOutput } from './progress-output.ts';

export interface BenchOptions extends LoadCommandOptions {
  apiKeyFile?: string;
  against?: string;
  againstModel?: string;
  againstApiKeyFile?: string;
  minRatio?: number;
  quiet?: boolean;
  output: 'table' | 'json';
  result?: string;
  plot?: string;
}

/** What the command gets from the process. */
export interface BenchProcess extends CommandOutput {
  /** Ends the load; what was measured until then is printed. */
  signal: AbortSignal;
  /** Whether `fail` writes to a terminal. */
  isTerminal: boolean;
  env: Readonly<Record<string, string | undefined>>;
}

/** Failures without any success after which a load is stopped. */
const HOPELESS_FAILURES = 20;

/** Runs the command and returns its exit code. */
export async function runBench(options: BenchOptions, io: BenchProcess): Promise<number> {
  try {
    const key = options.apiKeyFile && readApiKey('--api-key-file', options.apiKeyFile);
    const plan = planOf(options, key || io.env.VLLM_API_KEY || undefined);
    for (const flag of ['result', 'plot'] as const) {
      // After a long run it would be late to learn that a file cannot be written.
      const file = options[flag];
      if (file !== undefined) save(`--${flag}`, file, '', 'a');
    }
    const output = options.quiet ? { ...io, fail: () => {} } : io;
    const baseline = await baselineOf(options, plan, output);
    if (io.signal.aborted) return INTERRUPTED;
    const result = await measure(plan, output, {});
    write(result, baseline, options, io);
    return io.signal.aborted ? INTERRUPTED : exitCode(result, baseline, options.minRatio);
  } catch (error) {
    if (io.signal.aborted) return INTERRUPTED;
    if (!(error instanceof RangeError)) throw error;
    io.fail(`${printable(error.message)}\n`);
    return 1;
  }
}

const FLAGS = { url: '--url', model: '--model', apiKey: '--api-key-file' } as const;
const BASELINE_FLAGS = {
  url: '--against',
  model: '--against-model',
  apiKey: '--against-api-key-file',
} as const;

/** An earlier result, or what a server does under the same load. Our key is not sent to it. */
async function baselineOf(
  { against, againstModel, againstApiKeyFile }: BenchOptions,
  { apiKey: _, ...plan }: LoadPlan,
  io: BenchProcess,
): Promise<LoadResult | undefined> {
  if (against === undefined) return undefined;
  if (!/^https?:\/\//.test(against)) return readLoadResult(against);
  const apiKey = againstApiKeyFile && readApiKey('--against-api-key-file', againstApiKeyFile);
  const other = { ...plan, url: against, model: againstModel ?? plan.model, ...(apiKey && { apiKey }) };
  return await measure(other, io, { name: 'baseline', flags: BASELINE_FLAGS });
}

/** Runs a load with its progress on the standard error. Throws RangeError if it cannot work at all. */
async function measure(
  plan: LoadPlan,
  { fail, signal, isTerminal }: BenchProcess,
  { name, flags = FLAGS }: { name?: string; flags?: Readonly<Record<TargetProblem['about'], string>> },
): Promise<LoadResult> {
  const problem = await checkTarget(plan, signal);
  if (problem) throw new RangeError(problemText(problem, plan, flags));
  const progress = new ProgressOutput((text) => fail(text), isTerminal);
  if (name !== undefined) progress.line(`${name}: ${plan.url}`);
  const hopeless = new AbortController();
  const result = await runLoad(plan, {
    signal: AbortSignal.any([signal, hopeless.signal]),
    onProgress: (report) => {
      progress.show(report);
      if (report.completed === 0 && report.failed >= HOPELESS_FAILURES) hopeless.abort();
    },
    onFailure: (kind, message) => progress.line(`first failure ${kind}: ${printable(message).slice(0, 300)}`),
  });
  progress.end();
  if (hopeless.signal.aborted && !signal.aborted)
    fail('The load was stopped because all requests failed; correct what the first failures say.\n');
  return result;
}

function problemText(
  { about, reason, remedy }: TargetProblem,
  plan: LoadPlan,
  flags: Readonly<Record<TargetProblem['about'], string>>,
): string {
  const value = about === 'apiKey' ? undefined : plan[about];
  return describeIssue({ field: flags[about], value, reason, remedy });
}

function write(
  result: LoadResult,
  baseline: LoadResult | undefined,
  { output, result: file, plot }: BenchOptions,
  io: BenchProcess,
): void {
  const comparison = baseline && compareResults(result, baseline);
  io.write(
    output === 'json'
      ? json(comparison ? { result, baseline, comparison } : result)
      : loadResultText(result) + (comparison ? comparisonText(comparison, baseline) : ''),
  );
  if (file !== undefined) save('--result', file, json(result));
  const results = [
    { name: 'measured', result },
    ...(baseline ? [{ name: 'baseline', result: baseline }] : []),
  ];
  if (plot !== undefined) save('--plot', plot, plotResults(results));
}

/** Throws RangeError if the file cannot be written. */
function save(flag: string, file: string, content: string, mode = 'w'): void {
  try {
    writeFileSync(file, content, { flag: mode });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RangeError(`${flag} ${file}: cannot be written: ${reason}`);
  }
}

/** 1 if nothing was completed, no rate met the objectives, or the throughput is too low in relation to the baseline. */
function exitCode(
  result: LoadResult,
  baseline: LoadResult | undefined,
  minRatio: number | undefined,
): number {
  const { steps, objectives } = result;
  if (steps.every(({ completed }) => completed === 0)) return 1;
  if (objectives.length > 0 && !steps.some(({ meetsObjectives }) => meetsObjectives)) return 1;
  const comparison: Comparison | undefined = baseline && compareResults(result, baseline);
  return comparison && minRatio !== undefined && !((mostThroughput(comparison) ?? 0) >= minRatio) ? 1 : 0;
}

function json(content: object): string {
  return `${JSON.stringify(content, null, 2)}\n`;
}
