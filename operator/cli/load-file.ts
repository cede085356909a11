/** Reads the load of a plan: the `load` block of a file, and options of the command line that override its fields. */
import { type Load, parseLoad } from '../planning/load.ts';
import { describeIssue, InvalidSpecError } from '../values/spec-issue.ts';
import { readFacts } from './config-files.ts';
import { readDocuments } from './manifest-files.ts';

/** Options of the command line by the field of the load that each sets. */
export interface LoadOptions {
  model?: string;
  requestsPerDay?: number;
  requestsPerSecond?: number;
  peakFactor?: number;
  promptTokens?: number;
  outputTokens?: number;
  cachedPromptShare?: number;
  firstTokenP99?: string;
  timePerToken?: string;
  latencyP99?: string;
  spareReplicas?: number;
  availability?: number;
  accelerator?: string[];
  price?: string[];
  tensorParallelSize?: number;
  maxModelLen?: number;
  maxNumSeqs?: number;
  quantization?: string;
  kvCacheDtype?: string;
}

export interface LoadInput {
  load?: Load;
  /** Lines for users. */
  problems: string[];
}

type Fields = Record<string, unknown>;

/** Reads a load from files and options. `config` is the config.json of a model that the catalog lacks. */
export function readLoad(files: readonly string[], options: LoadOptions, config?: string): LoadInput {
  const problems: string[] = [];
  const blocks = files.flatMap((file) =>
    readDocuments(file, problems).flatMap((content) => blockOf(content)),
  );
  if (problems.length > 0) return { problems };
  if (files.length > 0 && blocks.length !== 1) {
    const found = blocks.length === 0 ? 'there is no load' : `there are ${blocks.length} loads`;
    return {
      problems: [
        `${files.join(', ')}: ${found}; write one field load: with what docs/how-to/plan-capacity.md describes`,
      ],
    };
  }
  const where = files.length > 0 ? `${files.join(', ')}: ` : '';
  try {
    const base = blocks[0] ?? {};
    if (!isFields(base)) return { load: parseLoad(base), problems };
    const fields = override(base, options);
    const facts = config === undefined ? {} : { facts: readFacts(pathIn(config, fields.model)) };
    return { load: parseLoad({ ...fields, ...facts }), problems };
  } catch (error) {
    if (error instanceof InvalidSpecError)
      return { problems: error.issues.map((issue) => `${where}${describeIssue(issue)}`) };
    if (config !== undefined && error instanceof Error && 'code' in error)
      return { problems: [`--config ${config}: ${error.message}`] };
    throw error;
  }
}

/** `--config` may have the source of the model before the path, as with models in files. */
function pathIn(config: string, model: unknown): string {
  const source = `${model}=`;
  return config.startsWith(source) ? config.slice(source.length) : config;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function blockOf(content: unknown): unknown[] {
  return isFields(content) && Object.hasOwn(content, 'load') ? [content.load] : [];
}

function override(block: Fields, options: LoadOptions): Fields {
  const { firstTokenP99, timePerToken, latencyP99, accelerator, price, ...others } = options;
  const { tensorParallelSize, maxModelLen, maxNumSeqs, quantization, kvCacheDtype, ...own } = others;
  const rate = own.requestsPerDay ?? own.requestsPerSecond;
  const { requestsPerDay: _, requestsPerSecond: __, ...withoutRate } = block;
  return {
    ...(rate === undefined ? block : withoutRate),
    ...own,
    ...inside(block, 'targets', { firstTokenP99, timePerToken, latencyP99 }),
    ...inside(block, 'engine', { tensorParallelSize, maxModelLen, maxNumSeqs, quantization, kvCacheDtype }),
    ...inside(block, 'prices', Object.fromEntries((price ?? []).map(priceOf))),
    ...(accelerator && { accelerators: accelerator }),
  };
}

/** A group of fields with those of the options that are set. */
function inside(block: Fields, name: string, fields: Fields): Fields {
  const set = Object.entries(fields).filter(([, value]) => value !== undefined);
  const before = block[name] ?? {};
  return set.length > 0 && isFields(before) ? { [name]: { ...before, ...Object.fromEntries(set) } } : {};
}

/** Product and price of an option; a price that is no number stays text, which the schema refuses. */
function priceOf(option: string): [string, unknown] {
  const [product = '', price = ''] = option.split('=');
  const number = Number(price);
  return [product, price === '' || Number.isNaN(number) ? price : number];
}
