/** Measures one profile: starts its candidate, searches the highest rate under the objectives, and removes the candidate. */
import type { StepResult } from '../bench/load-result.ts';
import { measuredFor, type Objective } from '../bench/objective.ts';
import type { CandidateControl } from './candidate-control.ts';
import type { Experiment } from './experiment.ts';
import { ProfileFailedError } from './failure.ts';
import { findMostRate } from './find-most-rate.ts';
import { medianOfRuns } from './knee.ts';
import { RateRuns } from './rate-runs.ts';

/** The candidate, as far as a profile needs it. */
export type Candidate = Pick<CandidateControl, 'name' | 'start' | 'during' | 'remove'>;

export interface ProfileRun {
  candidate: Candidate;
  /** Sends the load at one rate to a model, and returns what was measured. */
  load: (model: string, rate: number, signal: AbortSignal) => Promise<StepResult>;
  /** Stores what has been measured so far. */
  save: (experiment: Experiment) => void;
  say: (line: string) => void;
  signal: AbortSignal;
}

/** Starts or continues an experiment. A failure of the profile is part of the result; what is thrown ends the sweep. */
export async function tuneProfile(begun: Experiment, run: ProfileRun): Promise<Experiment> {
  const { candidate, save, say, signal } = run;
  const { recorded, ...rest } = { ...begun, recorded: begun.rates };
  let experiment: Experiment = { ...rest, state: 'running' };
  const update = (change: Partial<Experiment>): void => {
    experiment = { ...experiment, ...change };
    save(experiment);
  };
  update({});
  try {
    update({ readySeconds: await candidate.start(experiment.profile.settings, signal) });
    say(`  ready after ${Math.round(experiment.readySeconds ?? 0)} s`);
    const rates = new RateRuns({
      recorded,
      runs: experiment.sweep.runs,
      run: (rate) => runOnce(rate, experiment.sweep.objectives, run),
      onRun: (records) => update({ rates: merged(records, recorded) }),
    });
    update({ ...(await search(experiment, rates)), state: 'done' });
  } catch (error) {
    if (!(error instanceof ProfileFailedError)) throw error;
    say(`  ${error.message}`);
    update({ state: 'failed', failure: error.failure });
  } finally {
    if (!signal.aborted) await candidate.remove(signal);
  }
  return experiment;
}

async function search(experiment: Experiment, rates: RateRuns): Promise<Pick<Experiment, 'knee'>> {
  const { grid, measurements } = experiment.sweep;
  const most = await findMostRate({
    grid,
    start: experiment.startRate,
    budget: measurements,
    measure: (rate) => rates.measure(rate),
  });
  const { rate, missed, settled } = most;
  if (rate === undefined) return {};
  const medians = medianOfRuns(rates.at(rate));
  return { knee: { rate, ...(missed !== undefined && { missed }), settled, ...medians } };
}

async function runOnce(rate: number, objectives: readonly Objective[], run: ProfileRun): Promise<StepResult> {
  const { candidate, load, say, signal } = run;
  const result = await candidate.during(rate, signal, (until) => load(candidate.name, rate, until));
  const { completed, errorRate, meetsObjectives } = result;
  if (completed === 0) {
    say(
      `  ${rate} req/s: no request was completed in ${Math.round(result.seconds)} s; raise --duration, or --min-rate`,
    );
    return result;
  }
  const measured = objectives.map((objective) => {
    const name = objective.measure === 'latency' ? '' : `${objective.measure} `;
    return `${name}${objective.percentile} ${Math.round(measuredFor(objective, result))} ms`;
  });
  say(
    `  ${rate} req/s: ${measured.join(', ')}, errors ${(errorRate * 100).toFixed(1)} %, ${meetsObjectives ? 'meets' : 'misses'} the objectives`,
  );
  return result;
}

/** What was measured now, and what was recorded before at rates that have not come again yet. */
function merged(now: Experiment['rates'], recorded: Experiment['rates']): Experiment['rates'] {
  const seen = new Map(now.map((record) => [record.rate, record]));
  for (const old of recorded) {
    const runs = seen.get(old.rate)?.runs ?? [];
    if (old.runs.length > runs.length) seen.set(old.rate, old);
  }
  return [...seen.values()].sort((a, b) => a.rate - b.rate);
}
