/** The performance formula beside published measurements: each row of test/unit/planning/measurements.tsv with its error. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Performance, PerformanceModel } from '../../operator/planning/performance.ts';
import { type ReplicaSpec, resolveReplica } from '../../operator/planning/replica.ts';
import { ACCELERATOR_PEAKS, type AcceleratorPeaks } from '../../operator/vllm/accelerator-peaks.ts';
import { type AcceleratorProduct, isProduct } from '../../operator/vllm/accelerators.ts';
import { findModel } from '../../operator/vllm/models.ts';

/** A row of the file: texts by the names in its first line. */
export type Measurement = Readonly<Record<string, string>>;

/** Predicted divided by measured, minus 1. */
export interface MeasuredError {
  tokenSeconds?: number;
  tokenSecondsP99?: number;
  throughput?: number;
  firstToken?: number;
  firstTokenP99?: number;
}

export interface ComparedMeasurement {
  row: Measurement;
  error: MeasuredError;
  /** Why the formula does not predict the row. */
  reason?: string;
}

/** Form factors that are measured and not in the table of peaks: less bandwidth than the usual ones, and no NVLink. */
const FORM_FACTORS: Readonly<Record<string, { product: AcceleratorProduct; peaks: AcceleratorPeaks }>> = {
  'H100-PCIe': {
    product: 'H100',
    peaks: { bf16Tflops: 756, fp8Tflops: 1513, memoryGBps: 2000, linkGBps: 64, experts: 'hopper' },
  },
  'A100-PCIe': { product: 'A100', peaks: { bf16Tflops: 312, memoryGBps: 1935, linkGBps: 32 } },
};

const QUANTIZATIONS: Readonly<Record<string, string>> = { FP8: '-FP8', FP4: '-NVFP4' };

/** Reads the file with all rows. */
export function readMeasurements(): Measurement[] {
  const file = join(import.meta.dirname, '../../test/unit/planning/measurements.tsv');
  const [head = '', ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n');
  const names = head.split('\t');
  return lines.map((line) => {
    const cells = line.split('\t');
    return Object.fromEntries(names.map((name, at) => [name, cells[at] ?? '']));
  });
}

/** Predicts what a row measured. */
export function compare(row: Measurement): ComparedMeasurement {
  const found = modelOf(row);
  if (typeof found === 'string') return { row, error: {}, reason: found };
  const predicted = predict(row, found);
  const full = predicted.saturated;
  const error: MeasuredError = {};
  const put = (name: keyof MeasuredError, value: number, measured: string | undefined): void => {
    if (measured !== undefined && measured !== '') error[name] = value / Number(measured) - 1;
  };
  put('tokenSeconds', predicted.tokenSeconds * 1e3, row.tokenMs);
  if (predicted.tokenSecondsP99) put('tokenSecondsP99', predicted.tokenSecondsP99 * 1e3, row.tokenMsP99);
  if (predicted.throughput) put('throughput', predicted.throughput, row.outputTokensPerSecond);
  if (predicted.firstToken && !full) put('firstToken', predicted.firstToken * 1e3, row.firstTokenMs);
  if (predicted.firstTokenP99 && !full)
    put('firstTokenP99', predicted.firstTokenP99 * 1e3, row.firstTokenMsP99);
  return { row, error, ...(Object.keys(error).length === 0 && { reason: 'nothing measured to compare' }) };
}

/** The engine of a row, or why there is no prediction. */
function modelOf(row: Measurement): PerformanceModel | string {
  if (row.group === 'prefix-cache hits') return 'prompts were in the prefix cache, by an unknown share';
  if (!row.promptTokens || !row.outputTokens) return 'the lengths of prompts and outputs are not stated';
  const named = row.accelerator ?? '';
  const { product, peaks } = FORM_FACTORS[named] ?? { product: named, peaks: peaksOf(named) };
  if (!isProduct(product) || peaks === undefined)
    return named === '' ? 'the accelerator is not stated' : `no peak figures of ${named}`;
  const ranks = Number(row.tensorParallelSize);
  if (!Number.isInteger(ranks)) return `parallelism ${row.tensorParallelSize} is not in the formula`;
  const source = `hf://${row.model?.includes('/') ? row.model : `x/${row.model}`}${suffixOf(row)}`;
  const model = findModel(source);
  if (model === undefined) return `the shape of ${row.model} is not in the catalog`;
  const replica = resolveReplica(replicaOf(row, source, product, ranks));
  if (replica.kind === 'refused') return 'by the memory plan the model does not fit';
  return new PerformanceModel(replica.shape, peaks, lengths(row));
}

function peaksOf(named: string): AcceleratorPeaks | undefined {
  return isProduct(named) ? ACCELERATOR_PEAKS[named] : undefined;
}

function suffixOf({ model = '', precision = '' }: Measurement): string {
  return findModel(`hf://x/${model}`)?.format === 'bf16' ? (QUANTIZATIONS[precision] ?? '') : '';
}

function replicaOf(
  row: Measurement,
  source: string,
  product: AcceleratorProduct,
  count: number,
): ReplicaSpec {
  const { promptTokens, outputTokens } = lengths(row);
  // Tables of most throughput are measured with as many sequences as fit.
  const many = row.load === 'max throughput' ? 2048 : 0;
  return {
    source,
    product,
    count,
    settings: {
      maxModelLen: Math.min(Math.ceil(promptTokens + outputTokens) + 16, 32_768),
      pagedAttention: {
        gpuMemoryUtilization: '0.90',
        ...(row.kvCache === 'FP8' && { kvCacheDtype: 'fp8' }),
      },
      batching: { maxNumSeqs: Math.max(256, many, Number(row.loadValue)), maxNumBatchedTokens: 8192 },
    },
  };
}

/** InferenceX draws lengths from 80 to 100 % of those that it names. */
function lengths({ dataset, promptTokens, outputTokens }: Measurement) {
  const share = dataset?.includes('range-ratio') ? 0.9 : 1;
  return { promptTokens: Number(promptTokens) * share, outputTokens: Number(outputTokens) * share };
}

/** Whether the row is from the collection of aiconfigurator, which is measured with clients that all start at once. */
function startsAtOnce({ source = '' }: Measurement): boolean {
  return source.startsWith('ai-dynamo/aiconfigurator');
}

interface Predicted {
  tokenSeconds: number;
  tokenSecondsP99?: number;
  throughput?: number;
  firstToken?: number;
  firstTokenP99?: number;
  /** Whether requests wait for room in the KV cache, so that times to the first token are those of a queue. */
  saturated: boolean;
}

function predict(row: Measurement, model: PerformanceModel): Predicted {
  const load = row.load ?? '';
  const { outputTokens } = lengths(row);
  if (load === 'concurrency') return closedLoop(row, model);
  if (load.startsWith('request_rate')) {
    const at = model.atRate(Number(row.requestsPerSecond));
    return {
      tokenSeconds: at.tokenSeconds,
      tokenSecondsP99: at.tokenSecondsP99,
      firstToken: at.firstTokenSeconds + clientSeconds(row),
      firstTokenP99: at.firstTokenSecondsP99 + clientSeconds(row),
      saturated: at.utilization > 0.95,
    };
  }
  if (load.startsWith('batch')) {
    return { tokenSeconds: model.decodeSeconds(Number(row.loadValue)), saturated: false };
  }
  return atOnce(model, outputTokens, requestsOf(row));
}

/** How many requests a benchmark without a rate sends; very many where it does not say. */
function requestsOf({ load = '', loadValue = '' }: Measurement): number {
  const stated = /all ([0-9]+) requests/.exec(load)?.[1] ?? loadValue;
  return stated === '' ? Number.POSITIVE_INFINITY : Number(stated);
}

/** Requests that are all sent at once: as many as fit run, and the last ones run without company. */
function atOnce(model: PerformanceModel, outputTokens: number, requests: number): Predicted {
  const running = Math.min(requests, model.mostRunning);
  const tail = requests > running ? outputTokens * model.decodeSeconds(running) : 0;
  const rate = 1 / (1 / model.capacityWith(running) + tail / requests);
  return { tokenSeconds: model.tokenSeconds(running), throughput: rate * outputTokens, saturated: true };
}

function closedLoop(row: Measurement, model: PerformanceModel): Predicted {
  const clients = Number(row.loadValue);
  const at: Performance = model.atConcurrency(clients);
  return {
    tokenSeconds: at.tokenSeconds,
    throughput: at.requestsPerSecond * lengths(row).outputTokens,
    firstToken: at.firstTokenSeconds + clientSeconds(row) + burstSeconds(row, model, clients),
    saturated: clients > model.mostRunning,
  };
}

/** All clients of such a benchmark start at once, and the mean contains that burst: a fitted share of their prompts. */
function burstSeconds(row: Measurement, model: PerformanceModel, clients: number): number {
  return startsAtOnce(row) ? 0.07285 * (clients - 1) * model.promptSeconds : 0;
}

/** Time that the client and the network of a benchmark add to the first token: fitted for aiconfigurator, read off for KAITO. */
function clientSeconds(row: Measurement): number {
  if (startsAtOnce(row)) return 0.04051 + 1.854e-5 * lengths(row).promptTokens;
  return row.group?.includes('KAITO') ? 0.25 : 0;
}
