/** The load that a plan is for: the `load` block of a file, or options of the command line. */
import { z } from 'zod';
import { modelSource } from '../api/model-source.ts';
import { manifestIssue } from '../api/validate.ts';
import { duration } from '../values/scalars.ts';
import { InvalidSpecError, type SpecIssue } from '../values/spec-issue.ts';
import { valueAt } from '../values/value-at.ts';
import { ACCELERATOR_PRODUCTS } from '../vllm/accelerators.ts';
import { LONGEST_CONTEXT, modelFacts } from '../vllm/model-facts.ts';
import { findModel, type KnownModel } from '../vllm/models.ts';

const tokens = z.int().min(1).max(LONGEST_CONTEXT);
const product = z.enum(ACCELERATOR_PRODUCTS);
const name = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[a-z0-9_-]+$/);

const targets = z
  .strictObject({
    firstTokenP99: duration.optional().describe('Time to the first token, of 99 in 100 requests.'),
    timePerToken: duration.optional().describe('Mean time between the tokens of a request.'),
    latencyP99: duration.optional().describe('Time of the whole request, of 99 in 100 requests.'),
  })
  .describe('Latency that users get, with what router and network add. Absent: throughput alone decides.');

const engine = z
  .strictObject({
    tensorParallelSize: z.literal([1, 2, 4, 8]).optional().describe('Default: each size that fits is tried.'),
    maxModelLen: tokens
      .optional()
      .describe('Longest request. Default: twice prompt and output together, in steps of 1,024.'),
    maxNumSeqs: z
      .int()
      .min(1)
      .max(4096)
      .optional()
      .describe('Sequences of a step. Default: 256, or what the KV cache holds.'),
    maxNumBatchedTokens: z
      .int()
      .min(64)
      .max(262_144)
      .optional()
      .describe('Tokens of a step. Default: 8,192.'),
    quantization: name
      .optional()
      .describe('As `engine.quantization` of a model. Default: as the checkpoint is.'),
    kvCacheDtype: name.optional().describe('As `engine.pagedAttention.kvCacheDtype` of a model.'),
  })
  .describe('Settings that the plan has to use.');

const speculative = z
  .strictObject({
    numSpeculativeTokens: z.int().min(1).max(16).describe('Tokens proposed in each step.'),
    acceptedShare: z
      .number()
      .min(0)
      .max(0.99)
      .describe('Share of them that are accepted. Measure it: nothing published predicts it.'),
  })
  .describe('Speculative decoding with a head of one layer, such as EAGLE.');

/** Schema of the block. Fields that are not in it are refused. */
export const loadSchema = z.strictObject({
  model: modelSource.describe('Source of the model, such as `hf://org/name`.'),
  facts: modelFacts
    .strict()
    .optional()
    .describe('Shape of a model that is not in the catalog, as `model.facts`.'),
  requestsPerDay: z.number().positive().max(1e12).optional().describe('This or `requestsPerSecond`: a mean.'),
  requestsPerSecond: z.number().positive().max(1e7).optional().describe('This or `requestsPerDay`: a mean.'),
  peakFactor: z
    .number()
    .min(1)
    .max(1000)
    .optional()
    .describe(
      'Rate at the peak divided by the mean rate. Default: 3 with `requestsPerDay`, 1 with `requestsPerSecond`.',
    ),
  promptTokens: tokens.describe('Mean tokens of a prompt.'),
  outputTokens: tokens.describe('Mean tokens of an answer.'),
  cachedPromptShare: z
    .number()
    .min(0)
    .max(0.99)
    .default(0)
    .describe('Share of the prompt that is found in the prefix cache.'),
  targets: targets.default({}),
  addedLatency: duration.default('10ms').describe('What router and network add to the first token.'),
  spareReplicas: z.int().min(0).max(1000).default(0).describe('Replicas more than the peak needs: 1 is N+1.'),
  availability: z
    .number()
    .min(1)
    .max(99.9999)
    .optional()
    .describe('Percentage of time in which enough replicas are up; adds spare replicas.'),
  replicaAvailability: z
    .number()
    .min(50)
    .max(99.9999)
    .default(99)
    .describe('Percentage of time that one replica is up, independently of the others.'),
  prices: z
    .partialRecord(product, z.number().positive().max(10_000))
    .default({})
    .describe('USD for one hour of one accelerator, by product. Default: hints of the catalog.'),
  accelerators: z.array(product).min(1).max(32).optional().describe('Products to plan with. Default: all.'),
  engine: engine.default({}),
  speculative: speculative.optional(),
});

/** A load that passed the schema and the checks across its fields. */
export type Load = z.output<typeof loadSchema>;

/** Checks a load. Throws InvalidSpecError with everything that is wrong with it. */
export function parseLoad(value: unknown): Load {
  const parsed = loadSchema.safeParse(value);
  const issues = parsed.success
    ? crossChecks(parsed.data)
    : parsed.error.issues.flatMap((issue) => issuesOf(issue, value));
  if (issues.length > 0) throw new InvalidSpecError(issues);
  return loadSchema.parse(value);
}

function issuesOf(issue: z.core.$ZodIssue, value: unknown): SpecIssue[] {
  if (issue.code !== 'unrecognized_keys') {
    const { field, ...rest } = manifestIssue(issue, value);
    return [{ field: field === '' ? 'load' : `load.${field}`, ...rest }];
  }
  const isPrice = issue.path[0] === 'prices';
  return issue.keys.map((key) => ({
    field: ['load', ...issue.path, key].map(String).join('.'),
    value: valueAt(value, [...issue.path, key]),
    reason: isPrice ? 'there is no such product in the catalog' : 'there is no such field',
    remedy: isPrice ? `use one of ${product.options.join(', ')}` : 'correct the name, or remove it',
  }));
}

function crossChecks(load: Load): SpecIssue[] {
  const { requestsPerDay, requestsPerSecond, promptTokens, outputTokens } = load;
  const issues: SpecIssue[] = [];
  if ((requestsPerDay === undefined) === (requestsPerSecond === undefined)) {
    issues.push({
      field: 'load.requestsPerDay',
      value: requestsPerDay,
      reason: `${requestsPerDay === undefined ? 'neither it nor' : 'both it and'} load.requestsPerSecond is set`,
      remedy: 'set one of the two',
    });
  }
  const model = findModel(load.model, load.facts);
  if (model === undefined) {
    issues.push({
      field: 'load.model',
      value: load.model,
      reason: 'it is not in the catalog',
      remedy: 'pass its config.json with --config, or set load.facts',
    });
  }
  if (model?.cachedLayers === 0) {
    issues.push({
      field: 'load.model',
      value: load.model,
      reason: 'it has no KV cache, so it generates no tokens',
      remedy: 'choose a model that generates: nothing is predicted for others',
    });
  } else if (model !== undefined && !hasParameters(model)) {
    issues.push({
      field: 'load.facts.parametersBillions',
      value: load.facts?.parametersBillions,
      reason: 'a token uses fewer parameters than the embeddings have',
      remedy: 'correct the number of parameters, or of those that are active, or vocabularySize',
    });
  }
  const longest = Math.min(
    load.engine.maxModelLen ?? LONGEST_CONTEXT,
    model?.maxPositionEmbeddings ?? LONGEST_CONTEXT,
  );
  if (promptTokens + outputTokens > longest) {
    issues.push({
      field: 'load.promptTokens',
      value: promptTokens,
      reason: `with ${outputTokens} tokens of output it is longer than the ${longest} that ${load.engine.maxModelLen === longest ? 'engine.maxModelLen' : 'the model'} allows`,
      remedy: 'shorten it, or choose another model',
    });
  }
  return issues;
}

function hasParameters(model: KnownModel): boolean {
  const { parametersBillions, experts, vocabulary = 0, attentionHeads, headDim, hidden } = model;
  const active = Math.min(parametersBillions, experts?.activeBillions ?? parametersBillions) * 1e9;
  return active > vocabulary * (hidden ?? attentionHeads * headDim);
}
