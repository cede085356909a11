/** One profile of a sweep and everything that was measured with it: the content of `experiments/DATE_runNN_PROFILE.json`. */
import { z } from 'zod';
import { stepResultSchema } from '../bench/load-result.ts';
import { objectiveSchema } from '../bench/objective.ts';
import { failureSchema } from './failure.ts';
import { kneeSchema } from './knee.ts';
import { settingValueSchema } from './setting-range.ts';

const text = z.string().max(2048);
const amount = z.number().positive();

/** What all experiments of a run have in common. A run is only continued if it is the same. */
export const sweepSchema = z.strictObject({
  model: z.strictObject({
    namespace: text,
    name: text,
    uid: text,
    /** Of the spec that the candidates are copies of. */
    generation: z.int().min(0),
  }),
  objectives: z.array(objectiveSchema).min(1).max(16),
  maxErrorRate: z.number().min(0).max(1),
  workload: text,
  arrivals: z.enum(['constant', 'poisson']),
  /** Measured time of a run, and time before it that is not measured. */
  seconds: amount,
  warmUpSeconds: z.number().min(0),
  /** Runs at a rate, whose median counts. */
  runs: z.int().min(1).max(99),
  /** Rates that may be measured, in requests a second; `step` is the distance of two as a share of the lower one. */
  grid: z.strictObject({ least: amount, most: amount, step: amount }),
  /** Most measurements of a profile, each with up to `runs` runs. */
  measurements: z.int().min(1).max(1000),
});

export type Sweep = z.output<typeof sweepSchema>;

export const experimentSchema = z.strictObject({
  kind: z.literal('TuneExperiment'),
  version: z.literal(1),
  /** Date and number, as in the name of the file. */
  run: text,
  sweep: sweepSchema,
  profile: z.strictObject({ name: text, settings: z.record(z.string().max(512), settingValueSchema) }),
  /** `running` also after an interruption. */
  state: z.enum(['running', 'done', 'failed']),
  startedAt: z.iso.datetime(),
  /** The rate that was measured first. */
  startRate: amount,
  /** Seconds from the creation of the candidate until it was ready. */
  readySeconds: z.number().min(0).optional(),
  /** All runs, by rate. */
  rates: z.array(z.strictObject({ rate: amount, runs: z.array(stepResultSchema).max(1000) })).max(1000),
  /** Absent if the profile failed, or met the objectives at no rate. */
  knee: kneeSchema.optional(),
  failure: failureSchema.optional(),
});

export type Experiment = z.output<typeof experimentSchema>;
