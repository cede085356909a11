/** Connects a sweep with the cluster, the router and the files. */
import { INFERENCE_MODELS, INFERENCE_POOLS, type InferenceModel, type InferencePool } from '../api/types.ts';
import { validateManifest } from '../api/validate.ts';
import { checkTarget } from '../bench/check-target.ts';
import type { LoadPlan } from '../bench/load-plan.ts';
import { KubeClient } from '../kube/client.ts';
import { systemClock } from '../kube/clock.ts';
import { isKubeError } from '../kube/errors.ts';
import type { ObjectKey } from '../kube/object.ts';
import type { Transport } from '../kube/transport.ts';
import { CANDIDATE_LABEL, candidateOf } from '../tune/candidate.ts';
import { CandidateControl } from '../tune/candidate-control.ts';
import { ExperimentStore } from '../tune/experiment-store.ts';
import { checkProfile, profileCommand, profilePatch } from '../tune/pool-profile.ts';
import { type Profile, profilesOf } from '../tune/profiles.ts';
import { type QueueLimit, queueLimit } from '../tune/queue-limit.ts';
import { patchCommand, settingsPatch } from '../tune/settings-patch.ts';
import { type TunePlan, type TuneResult, tune, windowProfiles } from '../tune/tune.ts';
import { tunePlot } from '../tune/tune-plot.ts';
import { tuneReport } from '../tune/tune-report.ts';
import { TuneStoppedError } from '../tune/tune-stopped-error.ts';
import { printable } from '../values/printable.ts';
import { describeIssue, describeIssues } from '../values/spec-issue.ts';
import { readApiKey } from './api-key-file.ts';
import type { BenchProcess } from './bench.ts';
import { workloadOf } from './bench-options.ts';
import { TuneLoad } from './tune-load.ts';
import { loadOf, planOf, type TuneOptions } from './tune-options.ts';

export interface TuneRun {
  options: TuneOptions;
  /** Whether an option has its default value. */
  isDefault: (option: string) => boolean;
  transport: Transport;
  io: BenchProcess;
}

/** Tunes a model. Returns 0 if a profile met the objectives, else 1. Throws errors whose message is for the user. */
export async function runTune(key: Required<ObjectKey>, run: TuneRun): Promise<number> {
  const { options, io, transport } = run;
  const { signal, fail } = io;
  const say = (line: string): void => fail(`${printable(line)}\n`);
  const client = new KubeClient(transport, { fieldManager: 'vllm-operator-tune' });
  const model = await modelOf(client, key, signal);
  const pool = await poolOf(client, model, signal);
  const workload = workloadOf(options);
  const plan = planOf(options, { model, pool, workload });
  checkSettings(model, plan);
  const { profile } = options;
  if (profile !== undefined) {
    if (!pool) throw new TuneStoppedError('--profile: you may not read the pool, so leave it out');
    checkProfile(pool, profile, profilesOf(plan.ranges)[0]?.settings ?? {});
  }
  const load = new TuneLoad(
    { ...loadOf(options, workload, run.isDefault), ...(await targetOf(model, run)) },
    io,
  );
  const candidate = new CandidateControl({
    client,
    model,
    readyTimeoutMs: options.readyTimeout * 1000,
    wake: (name, until) => load.wake(name, options.readyTimeout, until),
    clock: systemClock,
    say,
  });
  const store = new ExperimentStore(options.directory);
  say(longestText(plan, load.seconds));
  const result = await tune(plan, {
    candidate,
    load: (name, rate, until) => load.run(name, rate, until),
    store,
    clock: systemClock,
    say,
    signal,
  });
  const { best } = result;
  const queue =
    best?.knee &&
    queueLimit(best.knee, options.slo, {
      replicas: Math.max(1, model.status?.desiredReplicas ?? 1),
      routers: Math.max(1, pool?.spec.router?.replicas ?? DEFAULT_ROUTERS),
    });
  writeResult(
    { model, plan, result, queue, ...(pool && { pool }), ...(profile !== undefined && { profile }) },
    store,
    io,
  );
  return best ? 0 : 1;
}

async function modelOf(
  client: KubeClient,
  key: Required<ObjectKey>,
  signal: AbortSignal,
): Promise<InferenceModel> {
  let model: InferenceModel;
  try {
    model = await client.get<InferenceModel>(INFERENCE_MODELS, key, { signal });
  } catch (error) {
    if (!isKubeError(error, 'NotFound')) throw error;
    throw new TuneStoppedError(
      `InferenceModel ${key.namespace}/${key.name} does not exist; kubectl get vmodel -A lists all of them`,
      { cause: error },
    );
  }
  const of = model.metadata.labels?.[CANDIDATE_LABEL];
  if (of === undefined) return model;
  throw new TuneStoppedError(`InferenceModel ${key.name} is itself a candidate of ${of}; tune that one`);
}

/** Stops at settings that no profile can have. Those that only some cannot have are part of the result. */
function checkSettings(model: InferenceModel, { ranges, windows }: TunePlan): void {
  const issuesOf = ({ settings }: Profile) =>
    validateManifest(candidateOf(model, { settings, until: 0, wakeTimeout: '1s' }));
  const ofWindows = windowProfiles(windows).flatMap(issuesOf);
  if (ofWindows.length > 0) throw new TuneStoppedError(`--window: ${describeIssues(ofWindows.slice(0, 1))}`);
  const issues = profilesOf(ranges).map(issuesOf);
  if (issues.some((found) => found.length === 0)) return;
  throw new TuneStoppedError(`no combination of the settings is valid: ${describeIssues(issues[0] ?? [])}`);
}

const FLAGS = { url: '--url', model: 'spec.model.servedNames', apiKey: '--api-key-file' } as const;

/** Where the load goes to. Stops if the router cannot be reached or does not serve the model. */
async function targetOf(
  model: InferenceModel,
  { options, io }: TuneRun,
): Promise<Pick<LoadPlan, 'url' | 'apiKey'>> {
  const { namespace, name } = model.metadata;
  const url = options.url ?? model.status?.url;
  if (url === undefined)
    throw new TuneStoppedError(
      `InferenceModel ${namespace}/${name} has no status.url; is the operator running? Else pass --url`,
    );
  const { username, password } = new URL(url);
  if (username !== '' || password !== '')
    throw new RangeError(
      '--url: it has credentials; leave them out: a key is read from $VLLM_API_KEY or a file',
    );
  const apiKey = options.apiKeyFile
    ? readApiKey('--api-key-file', options.apiKeyFile)
    : io.env.VLLM_API_KEY || undefined;
  const target = { url, ...(apiKey !== undefined && { apiKey }) };
  const served = { ...target, model: model.spec.model.servedNames?.[0] ?? name };
  const problem = await checkTarget(served, io.signal);
  if (!problem) return target;
  const reach =
    options.url === undefined
      ? '. That is the address in the cluster: elsewhere, forward a port (kubectl port-forward) and pass it as --url'
      : '';
  const { about, reason, remedy } = problem;
  const value = about === 'apiKey' ? undefined : served[about];
  throw new TuneStoppedError(`${describeIssue({ field: FLAGS[about], value, reason, remedy })}${reach}`);
}

/** The pool of the model. Undefined for teams that use a pool that they may not read. */
async function poolOf(
  client: KubeClient,
  model: InferenceModel,
  signal: AbortSignal,
): Promise<InferencePool | undefined> {
  const { name, namespace = model.metadata.namespace ?? '' } = model.spec.poolRef;
  try {
    return await client.get<InferencePool>(INFERENCE_POOLS, { namespace, name }, { signal });
  } catch (error) {
    if (!isKubeError(error, 'Forbidden')) throw error;
    return undefined;
  }
}

const DEFAULT_ROUTERS = 2;

function longestText({ sweep, ranges, windows }: TunePlan, seconds: number): string {
  const profiles = profilesOf(ranges).length + windows.length;
  const minutes = (profiles * sweep.measurements * sweep.runs * seconds) / 60;
  const time = minutes < 60 ? `${Math.ceil(minutes)} minutes` : `${(minutes / 60).toFixed(1)} hours`;
  return `${profiles} profiles with at most ${sweep.measurements} measurements, and runs for each: ${sweep.runs}. At most ${time}, usually a third of it`;
}

interface Finding {
  model: InferenceModel;
  plan: TunePlan;
  result: TuneResult;
  queue: QueueLimit | undefined;
  pool?: InferencePool;
  /** Name of the profile to write for the pool. */
  profile?: string;
}

function writeResult(finding: Finding, store: ExperimentStore, io: BenchProcess): void {
  const { plan, result, queue } = finding;
  const { run, experiments, best } = result;
  const plot = `${run}_plot.svg`;
  if (best) store.write(plot, tunePlot(experiments));
  const settings = writeSettings(finding, store);
  const report = tuneReport({ ...result, sweep: plan.sweep, queue, ...(best && { plot }), settings });
  const path = store.write(`${run}_report.md`, report);
  io.write(report);
  io.fail(`Written: ${path}, and files of the same run next to it\n`);
}

/** Files with the best settings: the patch of the model, and the profile of its pool if it was asked for. */
function writeSettings(
  { model, pool, result, queue, profile }: Finding,
  store: ExperimentStore,
): { text: string; command: string }[] {
  const { run, best } = result;
  if (!best) return [];
  const { settings } = best.profile;
  const patch = settingsPatch({ model, run, settings, queue });
  const written = [{ text: patch, command: patchCommand(model, store.write(`${run}_patch.yaml`, patch)) }];
  if (profile === undefined || !pool) return written;
  const added = profilePatch(pool, profile, settings);
  const command = profileCommand(pool, store.write(`${run}_profile.yaml`, added));
  return [...written, { text: added, command }];
}
