/** Options of `bench`, and the load that they ask for. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { LOAD_DEFAULTS, type LoadPlan } from '../bench/load-plan.ts';
import { type Objective, parseObjective } from '../bench/objective.ts';
import { parseRates } from '../bench/parse-rates.ts';
import type { Workload } from '../bench/workload.ts';
import { duration } from '../values/scalars.ts';
import { durationSeconds } from '../values/units.ts';
import { readPrompts } from './prompt-file.ts';

/** The options as commander gives them; durations are in seconds. */
export interface LoadCommandOptions extends RequestOptions {
  url: string;
  model: string;
  rates: number[];
  arrivals: LoadPlan['arrivals'];
  duration: number;
  warmUp: number;
  ramp: number;
  slo?: Objective[];
  maxErrorRate: number;
}

export interface RequestOptions {
  api: LoadPlan['api'];
  timeout: number;
  maxOpen: number;
  workload: 'random' | 'shared-prefix' | 'multi-turn';
  prompts?: string;
  promptTokens: number;
  outputTokens: number;
  prefixTokens: number;
  prefixes: number;
  conversations: number;
  turns: number;
}

/** Adds the options that make up a load. */
export function addLoadOptions(command: Command): void {
  addRateOptions(command);
  addRequestOptions(command);
}

function addRateOptions(command: Command): void {
  const { arrivals, seconds, warmUpSeconds, rampSeconds } = LOAD_DEFAULTS;
  command
    .requiredOption('--url <url>', 'router or engine, such as http://localhost:8000', httpUrl)
    .requiredOption('--model <name>', 'name of the model in requests')
    .requiredOption(
      '--rates <list>',
      'requests a second: 5, or steps such as 1,2,4 or 10:50:10 (from:to:step)',
      rates,
    )
    .addOption(
      new Option('--arrivals <kind>', 'time between requests: the same, or random as of many users')
        .choices(['constant', 'poisson'])
        .default(arrivals),
    )
    .addOption(time('--duration <duration>', 'measured time of each step', seconds))
    .addOption(time('--warm-up <duration>', 'time before the first step, not measured', warmUpSeconds))
    .addOption(
      time('--ramp <duration>', 'time in which the rate rises to the next, not measured', rampSeconds),
    )
    .option(
      '--slo <objective>',
      'objective such as p95=2s, first-token-p99=500ms or time-per-token-p95=50ms; may be repeated',
      objectives,
    )
    .option(
      '--max-error-rate <percent>',
      'most failed requests of a step that meets its objectives',
      percent,
      LOAD_DEFAULTS.maxErrorRate * 100,
    );
}

/** Options of the requests of a load. */
export function addRequestOptions(command: Command): void {
  const { workload, timeoutSeconds, maxOpen, api } = LOAD_DEFAULTS;
  command
    .addOption(
      new Option('--workload <kind>', 'prompts to send')
        .choices(['random', 'shared-prefix', 'multi-turn'])
        .default(workload.kind),
    )
    .option(
      '--prompts <path>',
      'file with prompts instead: one in each line, or JSON lines; - is standard input',
    )
    .option('--prompt-tokens <n>', 'tokens of a prompt', count, workload.promptTokens)
    .option(
      '--output-tokens <n>',
      'tokens of an answer; with --prompts at most',
      count,
      workload.outputTokens,
    )
    .option('--prefix-tokens <n>', 'tokens of a shared prefix', count, 1000)
    .option('--prefixes <n>', 'different shared prefixes', count, 4)
    .option('--conversations <n>', 'conversations of multi-turn', count, 50)
    .option('--turns <n>', 'requests of a conversation', count, 4)
    .addOption(new Option('--api <name>', 'API to call').choices(['chat', 'completions']).default(api))
    .addOption(time('--timeout <duration>', 'after this time a request has failed', timeoutSeconds))
    .option(
      '--max-open <n>',
      'most open requests; those beyond are counted as failed, never delayed',
      count,
      maxOpen,
    );
}

/** An option with a duration, whose value is in seconds. */
export function time(flags: string, description: string, byDefault: number): Option {
  const text = byDefault % 60 === 0 ? `${byDefault / 60}m` : `${byDefault}s`;
  return new Option(flags, description).argParser(seconds).default(byDefault, text);
}

/** The load that the options ask for. Throws RangeError if that is not possible. */
export function planOf(options: LoadCommandOptions, apiKey: string | undefined): LoadPlan {
  const { url, model, api, arrivals, rates, maxOpen } = options;
  const { username, password } = new URL(url);
  // Not by commander, which would print them.
  if (username !== '' || password !== '')
    throw new RangeError(
      '--url: it has credentials; leave them out: a key is read from $VLLM_API_KEY or a file',
    );
  return {
    url,
    model,
    ...(apiKey !== undefined && { apiKey }),
    api,
    arrivals,
    rates,
    seconds: options.duration,
    warmUpSeconds: options.warmUp,
    rampSeconds: options.ramp,
    workload: workloadOf(options),
    maxOpen,
    timeoutSeconds: options.timeout,
    objectives: options.slo ?? [],
    maxErrorRate: options.maxErrorRate / 100,
  };
}

/** The workload that the options ask for. */
export function workloadOf(options: RequestOptions): Workload {
  const { prompts, workload: kind, promptTokens, outputTokens } = options;
  if (prompts !== undefined) return { kind: 'prompts', prompts: readPrompts(prompts), outputTokens };
  const { prefixes, prefixTokens, conversations, turns } = options;
  const tokens = { promptTokens, outputTokens };
  if (kind === 'shared-prefix') return { kind, prefixes, prefixTokens, ...tokens };
  if (kind === 'multi-turn') return { kind, conversations, turns, ...tokens };
  return { kind, ...tokens };
}

/** A URL of a server that speaks HTTP. */
export function httpUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new InvalidArgumentError('Use a URL such as http://localhost:8000.');
  return text;
}

function rates(text: string): number[] {
  try {
    return parseRates(text);
  } catch (error) {
    if (error instanceof RangeError) throw new InvalidArgumentError(`${error.message}.`);
    throw error;
  }
}

function seconds(text: string): number {
  const parsed = text === '0' ? '0s' : text;
  if (!duration.safeParse(parsed).success)
    throw new InvalidArgumentError('Use numbers with the units ms, s, m or h, such as 90s or 1h30m.');
  return durationSeconds(parsed);
}

function count(text: string): number {
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || value < 1 || value > 1_000_000)
    throw new InvalidArgumentError('Use an integer from 1 to 1000000.');
  return value;
}

/** From 0 to 100. */
export function percent(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 100))
    throw new InvalidArgumentError('Use a number from 0 to 100.');
  return value;
}

/** Objectives for latency; the option may be repeated. */
export function objectives(text: string, all: Objective[] | undefined): Objective[] {
  const objective = parseObjective(text);
  if (objective === undefined)
    throw new InvalidArgumentError(
      'Use latency, first-token or time-per-token with p50, p90, p95 or p99, such as p95=2s or first-token-p99=500ms.',
    );
  return [...(all ?? []), objective];
}
