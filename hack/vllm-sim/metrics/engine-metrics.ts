/** vLLM's V1 metrics of one process, with one series per data-parallel engine. */
import type { FinishReason } from '../engine/sequence.ts';
import type { SimSettings } from '../settings.ts';
import {
  FIRST_TOKEN_BUCKETS,
  INTER_TOKEN_BUCKETS,
  ITERATION_BUCKETS,
  PARAM_N_BUCKETS,
  REQUEST_BUCKETS,
  tokenBuckets,
} from './buckets.ts';
import { type Cell, type Histogram, HistogramFamily, type Metric, Scalar } from './registry.ts';

type Labels = Readonly<Record<string, string>>;

/** What is known of a request when it ends. Seconds. */
export interface FinishedRequest {
  reason: FinishReason;
  promptTokens: number;
  cachedTokens: number;
  outputTokens: number;
  maxTokens: number;
  n: number;
  endToEnd: number;
  queued: number;
  inference: number;
  prefill: number;
  decode: number;
}

const HISTOGRAMS = {
  time_to_first_token_seconds: FIRST_TOKEN_BUCKETS,
  inter_token_latency_seconds: INTER_TOKEN_BUCKETS,
  request_time_per_output_token_seconds: INTER_TOKEN_BUCKETS,
  e2e_request_latency_seconds: REQUEST_BUCKETS,
  request_queue_time_seconds: REQUEST_BUCKETS,
  request_inference_time_seconds: REQUEST_BUCKETS,
  request_prefill_time_seconds: REQUEST_BUCKETS,
  request_decode_time_seconds: REQUEST_BUCKETS,
  request_params_n: PARAM_N_BUCKETS,
  iteration_tokens_total: ITERATION_BUCKETS,
  request_prompt_tokens: 'tokens',
  request_generation_tokens: 'tokens',
  request_max_num_generation_tokens: 'tokens',
  request_params_max_tokens: 'tokens',
  request_prefill_kv_computed_tokens: 'tokens',
} as const;

type HistogramName = keyof typeof HISTOGRAMS;

const COUNTERS = [
  'prompt_tokens_total',
  'prompt_tokens_cached_total',
  'generation_tokens_total',
  'num_preemptions_total',
  'prefix_cache_queries_total',
  'prefix_cache_hits_total',
  'external_prefix_cache_queries_total',
  'external_prefix_cache_hits_total',
  'mm_cache_queries_total',
  'mm_cache_hits_total',
] as const;

const GAUGES = ['num_requests_running', 'num_requests_waiting', 'kv_cache_usage_perc'] as const;

const SLEEP_STATES = ['awake', 'weights_offloaded', 'discard_all'] as const;

export type SleepState = (typeof SLEEP_STATES)[number];

/** Metrics with a label of their own: name, label, values. */
const LABELLED: readonly (readonly [string, string, readonly string[]])[] = [
  ['num_requests_waiting_by_reason', 'reason', ['capacity', 'deferred']],
  ['engine_sleep_state', 'sleep_state', SLEEP_STATES],
  ['prompt_tokens_by_source_total', 'source', ['local_compute', 'local_cache_hit', 'external_kv_transfer']],
  ['request_success_total', 'finished_reason', ['stop', 'length', 'abort', 'error', 'repetition']],
];

export class EngineMetrics {
  readonly #settings: SimSettings;
  readonly #families = new Map<string, HistogramFamily>();
  readonly #scalars = new Map<string, Scalar>();
  readonly #loras: Scalar | undefined;

  constructor(settings: SimSettings) {
    this.#settings = settings;
    for (const name of Object.keys(HISTOGRAMS)) {
      this.#families.set(name, new HistogramFamily(`vllm:${name}`, `Histogram of ${name}.`));
    }
    for (const name of COUNTERS) {
      this.#scalar(name, 'counter');
    }
    for (const name of GAUGES) {
      this.#scalar(name, 'gauge');
    }
    this.#scalar('num_requests_waiting_by_reason', 'gauge');
    this.#scalar('engine_sleep_state', 'gauge');
    this.#scalar('prompt_tokens_by_source_total', 'counter');
    this.#scalar('request_success_total', 'counter');
    this.#scalar('cache_config_info', 'gauge');
    this.#loras = settings.lora.enabled ? this.#scalar('lora_requests_info', 'gauge') : undefined;
  }

  /** Series of one engine; `index` is its data-parallel rank. */
  engine(index: number): EngineSeries {
    const labels = { model_name: this.#settings.servedNames[0] ?? '', engine: String(index) };
    this.#named('cache_config_info').cell(cacheConfig(this.#settings, index)).value = 1;
    return new EngineSeries(
      labels,
      (name) => this.#named(name),
      (name) => {
        const bounds =
          HISTOGRAMS[name] === 'tokens' ? tokenBuckets(this.#settings.maxModelLen) : HISTOGRAMS[name];
        const family = this.#families.get(name) ?? new HistogramFamily(`vllm:${name}`, name);
        return family.series(labels, bounds as readonly number[]);
      },
    );
  }

  /** Adapters of running and waiting requests; the value is a time, as vLLM has it. */
  adapters(running: readonly string[], waiting: readonly string[]): void {
    this.#loras?.clear();
    const cell = this.#loras?.cell({
      max_lora: String(this.#settings.lora.maxLoras),
      waiting_lora_adapters: waiting.join(','),
      running_lora_adapters: running.join(','),
    });
    if (cell !== undefined) {
      cell.value = Date.now() / 1000;
    }
  }

  render(): string {
    const all: Metric[] = [...this.#scalars.values(), ...this.#families.values()];
    return all.map((metric) => metric.render()).join('');
  }

  #named(name: string): Scalar {
    return this.#scalars.get(name) ?? this.#scalar(name, 'gauge');
  }

  #scalar(name: string, kind: 'counter' | 'gauge'): Scalar {
    const scalar = new Scalar(`vllm:${name}`, kind, `${name.replaceAll('_', ' ')}.`);
    this.#scalars.set(name, scalar);
    return scalar;
  }
}

/** The metrics of one engine. */
export class EngineSeries {
  readonly #cells = new Map<string, Cell>();
  readonly #histograms = new Map<string, Histogram>();

  constructor(
    labels: Labels,
    scalar: (name: string) => Scalar,
    histogram: (name: HistogramName) => Histogram,
  ) {
    for (const name of Object.keys(HISTOGRAMS) as HistogramName[]) {
      this.#histograms.set(name, histogram(name));
    }
    for (const name of [...COUNTERS, ...GAUGES]) {
      this.#cells.set(name, scalar(name).cell(labels));
    }
    for (const [name, label, values] of LABELLED) {
      for (const value of values) {
        this.#cells.set(`${name}/${value}`, scalar(name).cell({ ...labels, [label]: value }));
      }
    }
    this.sleep('awake');
  }

  load(state: { running: number; capacity: number; deferred: number; usage: number }): void {
    this.#set('num_requests_running', state.running);
    this.#set('num_requests_waiting', state.capacity + state.deferred);
    this.#set('num_requests_waiting_by_reason/capacity', state.capacity);
    this.#set('num_requests_waiting_by_reason/deferred', state.deferred);
    this.#set('kv_cache_usage_perc', state.usage);
  }

  sleep(state: SleepState): void {
    for (const each of SLEEP_STATES) {
      this.#set(`engine_sleep_state/${each}`, each === state ? 1 : 0);
    }
  }

  count(name: (typeof COUNTERS)[number], value: number): void {
    this.#add(name, value);
  }

  observe(name: HistogramName, value: number): void {
    this.#histograms.get(name)?.observe(value);
  }

  /** A prompt whose prefill ended. */
  prompt(tokens: number, cached: number): void {
    this.#add('prompt_tokens_total', tokens);
    this.#add('prompt_tokens_cached_total', cached);
    this.#add('prompt_tokens_by_source_total/local_compute', tokens - cached);
    this.#add('prompt_tokens_by_source_total/local_cache_hit', cached);
  }

  finished(request: FinishedRequest): void {
    this.#add(`request_success_total/${request.reason}`, 1);
    this.observe('e2e_request_latency_seconds', request.endToEnd);
    this.observe('request_queue_time_seconds', request.queued);
    this.observe('request_inference_time_seconds', request.inference);
    this.observe('request_prefill_time_seconds', request.prefill);
    this.observe('request_decode_time_seconds', request.decode);
    this.observe('request_prompt_tokens', request.promptTokens);
    this.observe('request_generation_tokens', request.outputTokens);
    this.observe('request_max_num_generation_tokens', request.outputTokens);
    this.observe('request_params_n', request.n);
    this.observe('request_params_max_tokens', request.maxTokens);
    this.observe('request_prefill_kv_computed_tokens', request.promptTokens - request.cachedTokens);
    if (request.outputTokens > 1) {
      this.observe('request_time_per_output_token_seconds', request.decode / (request.outputTokens - 1));
    }
  }

  #set(name: string, value: number): void {
    const cell = this.#cells.get(name);
    if (cell !== undefined) {
      cell.value = value;
    }
  }

  #add(name: string, value: number): void {
    const cell = this.#cells.get(name);
    if (cell !== undefined) {
      cell.value += value;
    }
  }
}

function cacheConfig(settings: SimSettings, index: number): Labels {
  const tokens = settings.numBlocks * settings.blockSize;
  return {
    block_size: String(settings.blockSize),
    cache_dtype: settings.kvCacheDtype,
    enable_prefix_caching: settings.prefixCaching ? 'True' : 'False',
    gpu_memory_utilization: String(settings.gpuMemoryUtilization),
    kv_cache_max_concurrency: (tokens / settings.maxModelLen).toFixed(2),
    kv_cache_size_tokens: String(tokens),
    num_gpu_blocks: String(settings.numBlocks),
    engine: String(index),
  };
}
