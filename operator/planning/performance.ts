/**
 * Predicts the speed of one engine: a closed formula from peak figures of the accelerator, the shape of the model and a few
 * fitted coefficients. Times are in seconds, sizes in bytes.
 */
import type { AcceleratorPeaks } from '../vllm/accelerator-peaks.ts';
import type { WeightFormat } from '../vllm/model-facts.ts';
import * as fitted from './coefficients.ts';

/** What the formula needs to know of a model in an engine. */
export interface EngineShape {
  layers: number;
  hidden: number;
  /** Attention heads times head dimension. */
  attentionWidth: number;
  kvHeads: number;
  /** Weights that each step reads: all but experts and input embeddings. */
  denseBytes: number;
  /** Parameters that one token uses, without the input embeddings. */
  activeParameters: number;
  experts?: { bytes: number; count: number; perToken: number };
  weightFormat: WeightFormat;
  /** KV cache of a sequence of this many tokens, summed over all layers, without copies. */
  kvBytes: (tokens: number) => number;
  tensorParallelSize: number;
  /** Sequences that fit the KV cache, of a length in tokens. */
  kvSequences: (tokens: number) => number;
  maxNumSeqs: number;
  maxNumBatchedTokens: number;
  speculation?: Speculation;
}

/** Speculative decoding with a draft of one layer: tokens proposed in a step, and the share of them that is accepted. */
export interface Speculation {
  proposed: number;
  acceptedShare: number;
}

/** Tokens of one request. `cachedShare` of the prompt are in the prefix cache. */
export interface Request {
  promptTokens: number;
  outputTokens: number;
  cachedShare?: number;
}

/** What one replica does under a load. */
export interface Performance {
  /** Sequences that run at once on average. */
  running: number;
  /** Mean time between tokens of a request. */
  tokenSeconds: number;
  /** The same of the slowest of a hundred requests. */
  tokenSecondsP99: number;
  /** Mean time to the first token inside of the engine. */
  firstTokenSeconds: number;
  firstTokenSecondsP99: number;
  /** Whole request: the first token, and the rest of the output. */
  requestSecondsP99: number;
  requestsPerSecond: number;
  /** Requests a second that the replica could serve at most. */
  capacity: number;
  /** Share of that capacity. */
  utilization: number;
  /** Measured where users are: router and network are part of it. Absent if it is predicted. */
  isMeasured?: true;
}

/** How fast one replica is at a rate. */
export interface EnginePerformance {
  /** Most requests a second. */
  readonly capacity: number;
  /** Above the capacity, times are infinite. */
  atRate(requestsPerSecond: number): Performance;
}

/** The formula for one engine and one kind of requests. */
export class PerformanceModel implements EnginePerformance {
  readonly #shape: EngineShape;
  readonly #peaks: AcceleratorPeaks;
  readonly #request: Required<Request>;
  /** Computing one prompt. */
  readonly promptSeconds: number;
  /** Most sequences that run at once. */
  readonly mostRunning: number;
  /** Most requests a second. */
  readonly capacity: number;

  constructor(shape: EngineShape, peaks: AcceleratorPeaks, request: Request) {
    this.#shape = shape;
    this.#peaks = peaks;
    this.#request = { cachedShare: 0, ...request };
    this.promptSeconds = this.#prompt();
    const { promptTokens, outputTokens } = request;
    this.mostRunning = Math.min(shape.maxNumSeqs, shape.kvSequences(promptTokens + outputTokens / 2));
    this.capacity = this.capacityWith(this.mostRunning);
  }

  /** Requests a second while this many sequences run all the time. */
  capacityWith(running: number): number {
    return running / (this.promptSeconds + this.#request.outputTokens * this.tokenSeconds(running));
  }

  /** Time from one token of a sequence to the next while only decoding, with this many sequences. */
  decodeSeconds(running: number): number {
    const { speculation, layers } = this.#shape;
    if (speculation === undefined) return this.#step(running, 1);
    const { proposed, acceptedShare } = speculation;
    const drafts = (proposed * this.#step(running, 1)) / layers;
    // The first token that is not accepted ends the step, and the model itself adds one.
    const tokens = (1 - acceptedShare ** (proposed + 1)) / (1 - acceptedShare);
    return (this.#step(running, proposed + 1) + drafts) / tokens;
  }

  /** Time of one step that computes this many tokens of each sequence. */
  #step(running: number, tokens: number): number {
    const { layers, hidden, denseBytes, activeParameters, experts, tensorParallelSize: ranks } = this.#shape;
    const { promptTokens, outputTokens } = this.#request;
    const bandwidth = this.#peaks.memoryGBps * 1e9;
    const weights = denseBytes / (ranks * bandwidth * fitted.WEIGHT_BANDWIDTH_SHARE);
    const arithmetic =
      (2 * activeParameters * running * tokens) / (ranks * this.#flops() * fitted.DECODE_COMPUTE_SHARE);
    const context = this.#shape.kvBytes(promptTokens + outputTokens / 2);
    const cache =
      (running * context) / (Math.min(ranks, this.#shape.kvHeads) * bandwidth * fitted.KV_BANDWIDTH_SHARE);
    const step =
      layers * fitted.LAYER_SECONDS +
      weights +
      (experts ? this.#expertSeconds(experts, running * tokens) : 0) +
      arithmetic +
      cache +
      this.#allReduces(running * tokens * hidden * 2, fitted.DECODE_LINK_SHARE, fitted.ALL_REDUCE_SECONDS) +
      running * fitted.SEQUENCE_SECONDS;
    return step * (this.#peaks.decodeFactor ?? 1);
  }

  /** Mean time between tokens of a request while this many sequences run: prompts of others delay steps. */
  tokenSeconds(running: number): number {
    const others = Math.max(0, running - 1);
    return this.decodeSeconds(running) + (others * this.promptSeconds) / this.#request.outputTokens;
  }

  /** Arrivals at random times at a mean rate, as users cause them. Above the capacity, all times are infinite. */
  atRate(requestsPerSecond: number): Performance {
    const utilization = requestsPerSecond / this.capacity;
    if (utilization >= 1) return this.#overloaded(requestsPerSecond);
    let [low, high] = [0, this.mostRunning];
    for (let round = 0; round < 50; round++) {
      const running = (low + high) / 2;
      const residence =
        this.#firstToken(running, requestsPerSecond) +
        this.#request.outputTokens * this.tokenSeconds(running);
      if (requestsPerSecond * residence > running) low = running;
      else high = running;
    }
    return this.#at(Math.max(1, high), requestsPerSecond);
  }

  /** A fixed number of clients that each wait for their answer, as benchmarks cause them. */
  atConcurrency(clients: number): Performance {
    const running = Math.min(clients, this.mostRunning);
    const decoding = (this.#request.outputTokens - 1) * this.tokenSeconds(running);
    const alone = this.promptSeconds + this.#promptSteps(0.5) * this.decodeSeconds(running);
    const rate = clients > this.mostRunning ? this.capacity : clients / (alone + decoding);
    const waited = clients > this.mostRunning ? clients / this.capacity - decoding : undefined;
    return {
      ...this.#at(running, rate),
      firstTokenSeconds: waited ?? alone + this.#promptQueue(rate),
      requestsPerSecond: rate,
    };
  }

  #at(running: number, rate: number): Performance {
    const { outputTokens } = this.#request;
    const busiest = Math.min(this.mostRunning, running + 2.33 * Math.sqrt(running));
    const tokenSecondsP99 = this.tokenSeconds(busiest);
    const firstTokenSecondsP99 = this.#firstTokenP99(running, rate);
    return {
      running,
      tokenSeconds: this.tokenSeconds(running),
      tokenSecondsP99,
      firstTokenSeconds: this.#firstToken(running, rate),
      firstTokenSecondsP99,
      requestSecondsP99: firstTokenSecondsP99 + (outputTokens - 1) * tokenSecondsP99,
      requestsPerSecond: rate,
      capacity: this.capacity,
      utilization: rate / this.capacity,
    };
  }

  #overloaded(requestsPerSecond: number): Performance {
    const never = Number.POSITIVE_INFINITY;
    return {
      running: this.mostRunning,
      tokenSeconds: this.tokenSeconds(this.mostRunning),
      tokenSecondsP99: this.tokenSeconds(this.mostRunning),
      firstTokenSeconds: never,
      firstTokenSecondsP99: never,
      requestSecondsP99: never,
      requestsPerSecond: this.capacity,
      capacity: this.capacity,
      utilization: requestsPerSecond / this.capacity,
    };
  }

  #firstToken(running: number, rate: number): number {
    return (
      this.promptSeconds +
      this.#promptSteps(0.5) * this.decodeSeconds(running) +
      this.#promptQueue(rate) +
      this.#slotWait(running, rate)
    );
  }

  /** Mean wait for the prompts of others (M/D/1). */
  #promptQueue(rate: number): number {
    const busy = Math.min(0.999, rate * this.promptSeconds);
    return (this.promptSeconds * busy) / (2 * (1 - busy));
  }

  #firstTokenP99(running: number, rate: number): number {
    const busy = Math.min(0.999, rate * this.promptSeconds);
    const queue = (this.promptSeconds * Math.log(Math.max(1, 100 * busy))) / (2 * (1 - busy));
    return (
      this.promptSeconds +
      this.#promptSteps(1) * this.decodeSeconds(running) +
      queue +
      Math.log(100) * this.#slotWait(running, rate)
    );
  }

  /** Mean wait for one of the places of running sequences: a queue with several servers, after Sakasegawa (1977). */
  #slotWait(running: number, rate: number): number {
    const places = this.mostRunning;
    const load = Math.min(0.999, rate / this.capacity);
    const service = this.#request.outputTokens * this.tokenSeconds(running);
    return ((service / places) * load ** (Math.sqrt(2 * (places + 1)) - 1)) / (1 - load);
  }

  /** Steps until the first token: those that the prompt is split over, and part of the one under way. */
  #promptSteps(underWay: number): number {
    const computed = this.#request.promptTokens * (1 - this.#request.cachedShare);
    return Math.max(1, Math.ceil(computed / this.#shape.maxNumBatchedTokens)) + underWay;
  }

  #prompt(): number {
    const {
      layers,
      hidden,
      attentionWidth,
      activeParameters,
      experts,
      tensorParallelSize: ranks,
    } = this.#shape;
    const computed = this.#request.promptTokens * (1 - this.#request.cachedShare);
    const share = experts ? this.#experts().computeShare : fitted.PROMPT_COMPUTE_SHARE;
    const matrices = (2 * activeParameters * computed) / (ranks * this.#flops() * share);
    const attention =
      (2 * layers * attentionWidth * computed * this.#request.promptTokens) /
      (ranks * this.#peaks.bf16Tflops * 1e12 * share);
    return matrices + attention + this.#allReduces(computed * hidden * 2, fitted.PROMPT_LINK_SHARE, 0);
  }

  /** Two all-reduces in each layer, for messages of this size. `start` is the time that each takes without data. */
  #allReduces(bytes: number, share: number, start: number): number {
    const { layers, tensorParallelSize: ranks } = this.#shape;
    if (ranks === 1) return 0;
    const bandwidth = 2 * (this.#peaks.linkGBps ?? 0) * 1e9 * share;
    return 2 * layers * (start + (2 * bytes * (ranks - 1)) / ranks / bandwidth);
  }

  /** Reading the experts that at least one sequence uses, and routing. */
  #expertSeconds({ bytes, count, perToken }: NonNullable<EngineShape['experts']>, running: number): number {
    const { bandwidthShare, layerSeconds } = this.#experts();
    const used = 1 - (1 - perToken / count) ** running;
    const bandwidth = this.#peaks.memoryGBps * 1e9 * bandwidthShare;
    return (bytes * used) / (this.#shape.tensorParallelSize * bandwidth) + this.#shape.layers * layerSeconds;
  }

  #experts(): fitted.ExpertCoefficients {
    return fitted.EXPERT_COEFFICIENTS[this.#peaks.experts ?? 'hopper'];
  }

  /** Peak arithmetic with the weights: FP4 and FP8 where the hardware has it, else as bfloat16. */
  #flops(): number {
    const { bf16Tflops, fp8Tflops = bf16Tflops, fp4Tflops = bf16Tflops } = this.#peaks;
    const byFormat: Partial<Record<WeightFormat, number>> = {
      fp8: fp8Tflops,
      nvfp4: fp4Tflops,
      mxfp4: fp8Tflops,
    };
    return (byFormat[this.#shape.weightFormat] ?? bf16Tflops) * 1e12;
  }
}
