/** Options of `tune`, and the sweep that they ask for. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { InferenceModel, InferencePool } from '../api/types.ts';
import { LOAD_DEFAULTS, type LoadPlan } from '../bench/load-plan.ts';
import type { Objective } from '../bench/objective.ts';
import { type Workload, workloadText } from '../bench/workload.ts';
import type { Sweep } from '../tune/experiment.ts';
import { MAX_PROFILES, profileCount, type Settings } from '../tune/profiles.ts';
import { DEFAULT_RANGES, parseSettingRange, type SettingRange } from '../tune/setting-range.ts';
import type { TunePlan } from '../tune/tune.ts';
import { DEFAULTS } from '../values/defaults.ts';
import { label } from './arguments.ts';
import {
  addRequestOptions,
  httpUrl,
  objectives,
  percent,
  type RequestOptions,
  time,
} from './bench-options.ts';

/** The options as commander gives them; durations are in seconds. */
export interface TuneOptions extends RequestOptions {
  kubeconfig?: string;
  context?: string;
  namespace?: string;
  url?: string;
  apiKeyFile?: string;
  set?: SettingRange[];
  window?: number[];
  profile?: string;
  slo: Objective[];
  maxErrorRate: number;
  arrivals: LoadPlan['arrivals'];
  duration: number;
  warmUp: number;
  runs: number;
  minRate: number;
  maxRate: number;
  startRate?: number;
  step: number;
  measurements: number;
  readyTimeout: number;
  directory: string;
  resume?: boolean;
}

/** Longest time of a request under load in multiples of the longest objective, unless `--timeout` says otherwise. */
const PATIENCE = 4;
const MIN_TIMEOUT_SECONDS = 10;

/** Adds the options of the command. */
export function addTuneOptions(command: Command): void {
  command
    .option('--kubeconfig <path>', 'kubeconfig to use; default: as for run')
    .option('--context <name>', 'context of the kubeconfig')
    .option('-n, --namespace <name>', 'namespace of the model; default: that of the context', label)
    .option('--url <url>', 'router of the pool as this machine reaches it; default: status.url', httpUrl)
    .option('--api-key-file <path>', 'file with the API key; default: $VLLM_API_KEY');
  addSweepOptions(command);
  addSearchOptions(command);
  addRequestOptions(command);
  command
    .addOption(time('--ready-timeout <duration>', 'how long an engine may take to start', 900))
    .option('--directory <path>', 'where experiments and reports are written', 'experiments')
    .option('--resume', 'continue the latest run with the same options that was interrupted');
}

function addSweepOptions(command: Command): void {
  const defaults = DEFAULT_RANGES.map(({ path, values }) => `${path}=${values}`).join(' and ');
  command
    .option(
      '--set <path=values>',
      `setting below engine or admission to vary; may be repeated; default: ${defaults}`,
      ranges,
    )
    .option('--profile <name>', 'also write the best settings as a profile of the pool with this name')
    .option(
      '--window <ms>',
      'also try these batching windows with the best settings, such as 0,20,50',
      windows,
    );
}

function addSearchOptions(command: Command): void {
  command
    .requiredOption(
      '--slo <objective>',
      'objective such as p95=2s, first-token-p95=500ms or time-per-token-p95=50ms; may be repeated',
      objectives,
    )
    .option(
      '--max-error-rate <percent>',
      'most failed requests of a rate that meets the objectives',
      percent,
      LOAD_DEFAULTS.maxErrorRate * 100,
    )
    .addOption(
      new Option('--arrivals <kind>', 'time between requests: the same, or random as of many users')
        .choices(['constant', 'poisson'])
        .default(LOAD_DEFAULTS.arrivals),
    )
    .addOption(time('--duration <duration>', 'measured time of a run', 60))
    .addOption(time('--warm-up <duration>', 'time before it that is not measured', 10))
    .option('--runs <n>', 'runs at a rate, whose median counts', upTo(99), 3)
    .option('--min-rate <n>', 'lowest rate to measure, in requests/s', rate, 0.1)
    .option('--max-rate <n>', 'highest rate to measure, in requests/s', rate, 1000)
    .option('--start-rate <n>', 'rate to measure first; default: 1, or the nearest that is allowed', rate)
    .option('--step <percent>', 'distance of two rates', step, 5)
    .option(
      '--measurements <n>',
      'most measurements of a profile, each of up to --runs runs',
      upTo(1000),
      24,
    );
}

/** The sweep that the options ask for. Throws RangeError if that is not possible. */
export function planOf(
  options: TuneOptions,
  { model, pool, workload }: { model: InferenceModel; pool: InferencePool | undefined; workload: Workload },
): TunePlan {
  const { set = DEFAULT_RANGES, minRate, maxRate, startRate = 1 } = options;
  if (minRate > maxRate)
    throw new RangeError(`--min-rate ${minRate}: it is above --max-rate ${maxRate}; lower it`);
  const profiles = profileCount(set);
  if (profiles > MAX_PROFILES)
    throw new RangeError(
      `--set: ${profiles} combinations, more than ${MAX_PROFILES}; vary fewer settings, or fewer values of them`,
    );
  const twice = set.find(({ path }, at) => set.findIndex((other) => other.path === path) !== at);
  if (twice) throw new RangeError(`--set ${twice.path}: it is there twice; write all values into one`);
  return {
    sweep: sweepOf(options, model, workload),
    ranges: set,
    windows: windowsOf(options, model, pool),
    startRate: Math.min(maxRate, Math.max(minRate, startRate)),
    resume: options.resume ?? false,
  };
}

/** The windows with a guardrail at the objective for latency. One of 0 was measured already, unless the model has another. */
function windowsOf(
  { window = [], slo }: TuneOptions,
  { spec }: InferenceModel,
  pool: InferencePool | undefined,
): Settings[] {
  const present =
    spec.admission?.batchWindow ?? pool?.spec.admission.batchWindow ?? DEFAULTS.admission.batchWindow;
  const latencies = slo.filter(({ measure }) => measure === 'latency').map(({ ms }) => ms);
  return window
    .map((ms) => `${ms}ms`)
    .filter((window) => window !== present)
    .map((window) => ({
      'admission.batchWindow': window,
      ...(latencies.length > 0 &&
        window !== NO_WINDOW && { 'admission.batchWindowMaxP95': `${Math.min(...latencies)}ms` }),
    }));
}

const NO_WINDOW = '0ms';

function sweepOf(options: TuneOptions, { metadata }: InferenceModel, workload: Workload): Sweep {
  return {
    model: {
      namespace: metadata.namespace ?? '',
      name: metadata.name,
      uid: metadata.uid ?? '',
      generation: metadata.generation ?? 0,
    },
    objectives: options.slo,
    maxErrorRate: options.maxErrorRate / 100,
    workload: workloadText(workload),
    arrivals: options.arrivals,
    seconds: options.duration,
    warmUpSeconds: options.warmUp,
    runs: options.runs,
    grid: { least: options.minRate, most: options.maxRate, step: options.step / 100 },
    measurements: options.measurements,
  };
}

/** The load of a run, without model and rate. */
export function loadOf(
  options: TuneOptions,
  workload: Workload,
  isDefault: (option: keyof TuneOptions) => boolean,
): Omit<LoadPlan, 'url' | 'apiKey' | 'model' | 'rates'> {
  const longest = Math.max(...options.slo.map(({ ms }) => ms)) / 1000;
  return {
    api: options.api,
    arrivals: options.arrivals,
    seconds: options.duration,
    warmUpSeconds: options.warmUp,
    rampSeconds: Math.min(LOAD_DEFAULTS.rampSeconds, options.warmUp),
    workload,
    maxOpen: options.maxOpen,
    timeoutSeconds: isDefault('timeout')
      ? Math.max(MIN_TIMEOUT_SECONDS, PATIENCE * longest)
      : options.timeout,
    objectives: options.slo,
    maxErrorRate: options.maxErrorRate / 100,
  };
}

function ranges(text: string, all: SettingRange[] | undefined): SettingRange[] {
  const range = parseSettingRange(text);
  if (typeof range === 'string') throw new InvalidArgumentError(`${range}.`);
  return [...(all ?? []), range];
}

function windows(text: string): number[] {
  if (!/^(0|[1-4][0-9]|50)(,(0|[1-4][0-9]|50))*$/.test(text))
    throw new InvalidArgumentError('Use 0 and integers from 10 to 50, such as 0,20,50.');
  return [...new Set(text.split(',').map(Number))];
}

function rate(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0.001 && value <= 100_000))
    throw new InvalidArgumentError('Use a number from 0.001 to 100000.');
  return value;
}

function step(text: string): number {
  const value = percent(text);
  if (value < 1) throw new InvalidArgumentError('Use a number from 1 to 100.');
  return value;
}

function upTo(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^[0-9]+$/.test(text) || value < 1 || value > most)
      throw new InvalidArgumentError(`Use an integer from 1 to ${most}.`);
    return value;
  };
}
