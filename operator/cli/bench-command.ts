/** `vllm-operator bench`: sends a load to a router or an engine and measures it. */
import { writeFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { checkTarget, type TargetProblem } from '../bench/check-target.ts';
import type { LoadPlan } from '../bench/load-plan.ts';
import type { LoadResult } from '../bench/load-result.ts';
import { runLoad } from '../bench/run-load.ts';
import { printable } from '../values/printable.ts';
import { describeIssue } from '../values/spec-issue.ts';
import { addLoadOptions, type LoadCommandOptions, planOf } from './bench-options.ts';
import { loadResultText } from './bench-text.ts';
import type { CommandOutput } from './problems.ts';
import { ProgressOutput } from './progress-output.ts';
import { readText } from './read-text.ts';

interface BenchOptions extends LoadCommandOptions {
  apiKeyFile?: string;
  output: 'table' | 'json';
  result?: string;
}

/** What the command gets from the process. */
export interface BenchProcess extends CommandOutput {
  /** Ends the load; what was measured until then is printed. */
  signal: AbortSignal;
  /** Whether `fail` writes to a terminal. */
  isTerminal: boolean;
  env: Readonly<Record<string, string | undefined>>;
}

/** Exit code of a command that a signal has ended. */
const INTERRUPTED = 130;

/** Failures without any success after which a load is stopped. */
const HOPELESS_FAILURES = 20;

/** The `bench` command. `exit` gets the code with which the process has to end. */
export function benchCommand(io: BenchProcess, exit: (code: number) => void): Command {
  const bench = new Command('bench').description(
    'send a load at fixed rates to a router or an engine, and measure latency and throughput',
  );
  addLoadOptions(bench);
  bench
    .option('--api-key-file <path>', 'file with the API key; default: $VLLM_API_KEY')
    .addOption(
      new Option('-o, --output <format>', 'how the result is printed')
        .choices(['table', 'json'])
        .default('table'),
    )
    .option('--result <path>', 'file for the result as JSON');
  return bench.action(async (options: BenchOptions) => {
    exit(await runBench(options, io));
  });
}

async function runBench(options: BenchOptions, io: BenchProcess): Promise<number> {
  const { fail, write, signal } = io;
  let plan: LoadPlan;
  try {
    plan = planOf(options, apiKeyOf(options.apiKeyFile, io.env));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    fail(`${printable(error.message)}\n`);
    return 1;
  }
  const problem = await checkTarget(plan, signal);
  if (problem) {
    fail(`${problemText(problem, plan)}\n`);
    return 1;
  }
  const progress = new ProgressOutput(fail, io.isTerminal);
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
    fail(`The load was stopped because all requests failed; correct what the first failures say.\n`);
  if (options.result !== undefined) writeFileSync(options.result, json(result));
  write(options.output === 'json' ? json(result) : loadResultText(result));
  return signal.aborted ? INTERRUPTED : exitCode(result);
}

/** 1 if nothing was completed, or no rate met the objectives. */
function exitCode({ steps, objectives }: LoadResult): number {
  if (steps.every(({ completed }) => completed === 0)) return 1;
  return objectives.length === 0 || steps.some(({ meetsObjectives }) => meetsObjectives) ? 0 : 1;
}

function json(result: LoadResult): string {
  return `${JSON.stringify(result, null, 2)}\n`;
}

/** The key of a file, or of the environment: an argument would show in the list of processes. */
function apiKeyOf(file: string | undefined, env: BenchProcess['env']): string | undefined {
  if (file === undefined) return env.VLLM_API_KEY || undefined;
  try {
    const key = readText(file).trim();
    if (/^[\x21-\x7e]{1,4096}$/.test(key)) return key;
  } catch (error) {
    throw new RangeError(
      `--api-key-file ${file}: cannot be read: ${error instanceof Error ? error.message : error}`,
    );
  }
  throw new RangeError(`--api-key-file ${file}: it is no key; write one line of ASCII without spaces`);
}

const FLAGS = { url: '--url', model: '--model', apiKey: '--api-key-file' } as const;

function problemText({ about, reason, remedy }: TargetProblem, plan: LoadPlan): string {
  const value = about === 'apiKey' ? undefined : plan[about];
  return describeIssue({ field: FLAGS[about], value, reason, remedy });
}
