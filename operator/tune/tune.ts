/** Runs a sweep: profile after profile, then the batching windows of the best one. */
import type { Clock } from '../kube/clock.ts';
import type { CandidateControl } from './candidate-control.ts';
import type { Experiment, Sweep } from './experiment.ts';
import type { ExperimentStore } from './experiment-store.ts';
import { type Profile, profilesOf, type Settings } from './profiles.ts';
import type { SettingRange } from './setting-range.ts';
import { type ProfileRun, tuneProfile } from './tune-profile.ts';
import { TuneStoppedError } from './tune-stopped-error.ts';

export interface TunePlan {
  sweep: Sweep;
  ranges: readonly SettingRange[];
  /** Settings of the batching window to try with the best profile, one after the other. */
  windows: readonly Settings[];
  /** The rate that is measured first. */
  startRate: number;
  /** Continue the latest run of the same sweep. */
  resume: boolean;
}

export interface TuneDependencies extends Omit<ProfileRun, 'save' | 'candidate'> {
  candidate: ProfileRun['candidate'] & Pick<CandidateControl, 'clear' | 'delete'>;
  store: ExperimentStore;
  clock: Clock;
}

export interface TuneResult {
  run: string;
  experiments: readonly Experiment[];
  /** The one with the highest rate; of several, the one with fewest settings, and of these that with the shortest latency. */
  best?: Experiment;
}

/** Time to delete the candidate after an interruption. */
const DELETE_MS = 30_000;

/** Runs the sweep. However it ends, no candidate is left. Rejects with the signal's reason when aborted. */
export async function tune(plan: TunePlan, dependencies: TuneDependencies): Promise<TuneResult> {
  const { candidate, signal } = dependencies;
  await candidate.clear(signal);
  try {
    return await new Sweeper(plan, dependencies).run();
  } finally {
    await remove(candidate);
  }
}

async function remove(candidate: TuneDependencies['candidate']): Promise<void> {
  try {
    await candidate.delete(AbortSignal.timeout(DELETE_MS));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TuneStoppedError(
      `InferenceModel ${candidate.name} may be left, because its deletion failed: ${reason}; it sleeps after 10 minutes, and the next run removes it; or: kubectl delete vmodel ${candidate.name}`,
      { cause: error },
    );
  }
}

/** Profiles with these settings of the batching window on top of others. */
export function windowProfiles(windows: readonly Settings[], settings: Settings = {}): Profile[] {
  return windows.flatMap((window) => profilesOf([], { ...settings, ...window }));
}

class Sweeper {
  readonly #plan: TunePlan;
  readonly #dependencies: TuneDependencies;
  readonly #known: readonly Experiment[];
  readonly #run: string;
  readonly #done: Experiment[] = [];

  constructor(plan: TunePlan, dependencies: TuneDependencies) {
    const { store, clock, say } = dependencies;
    this.#plan = plan;
    this.#dependencies = dependencies;
    this.#known = plan.resume ? store.latest(plan.sweep) : [];
    this.#run = this.#known[0]?.run ?? store.newRun(clock.now());
    const isNew = this.#known.length === 0;
    if (plan.resume && isNew)
      say(`No run in ${store.directory} had the same model and options; beginning a new one`);
    say(`${isNew ? 'Run' : 'Continuing run'} ${this.#run}`);
  }

  async run(): Promise<TuneResult> {
    const { ranges, windows } = this.#plan;
    await this.#measureAll(profilesOf(ranges));
    const winner = bestOf(this.#done);
    if (winner) await this.#measureAll(windowProfiles(windows, winner.profile.settings));
    const best = bestOf(this.#done);
    return { run: this.#run, experiments: this.#done, ...(best && { best }) };
  }

  async #measureAll(profiles: readonly Profile[]): Promise<void> {
    const { say, store } = this.#dependencies;
    for (const [at, profile] of profiles.entries()) {
      const known = this.#known.find(({ profile: { name } }) => name === profile.name);
      say(`${profile.name} (${at + 1} of ${profiles.length})`);
      if (known && known.state !== 'running') say(`  ${known.state} in ${this.#run}`);
      const experiment =
        known && known.state !== 'running'
          ? known
          : await tuneProfile(known ?? this.#begun(profile), {
              ...this.#dependencies,
              save: (changed) => store.save(changed),
            });
      this.#done.push(experiment);
    }
  }

  /** An experiment that starts its search where the best one so far ended. */
  #begun(profile: Profile): Experiment {
    const { sweep, startRate } = this.#plan;
    return {
      kind: 'TuneExperiment',
      version: 1,
      run: this.#run,
      sweep,
      profile: { name: profile.name, settings: { ...profile.settings } },
      state: 'running',
      startedAt: new Date(this.#dependencies.clock.now()).toISOString(),
      startRate: bestOf(this.#done)?.knee?.rate ?? startRate,
      rates: [],
    };
  }
}

/** The experiment with the highest rate; of several, the simplest one, and of these that with the shortest latency. */
function bestOf(experiments: readonly Experiment[]): Experiment | undefined {
  const measured = experiments.flatMap((experiment) => {
    const { knee, profile } = experiment;
    const order = knee && [-knee.rate, Object.keys(profile.settings).length, knee.latencyMs.p95];
    return order ? [{ experiment, order }] : [];
  });
  return measured.toSorted((a, b) => compare(a.order, b.order))[0]?.experiment;
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}
