import { describe, expect, test } from 'vitest';
import { parseArguments } from '../../../hack/vllm-sim/cli/parse-arguments.ts';
import { hashPrompt } from '../../../hack/vllm-sim/engine/chain-hash.ts';
import { Engine } from '../../../hack/vllm-sim/engine/engine.ts';
import { GeneratedSource } from '../../../hack/vllm-sim/engine/generated-source.ts';
import type { Sequence, SequenceEnd } from '../../../hack/vllm-sim/engine/sequence.ts';
import { EngineMetrics } from '../../../hack/vllm-sim/metrics/engine-metrics.ts';
import { resolveSettings } from '../../../hack/vllm-sim/settings.ts';
import { FakeClock } from './fake-clock.ts';

interface Ask {
  prompt?: number[];
  maxTokens?: number;
  priority?: number;
  adapter?: string;
}

interface Result {
  sequence: Sequence;
  text: string;
  firstAt: number;
  end: SequenceEnd | undefined;
  endAt: number;
}

class Bench {
  readonly clock = new FakeClock();
  readonly metrics: EngineMetrics;
  readonly engine: Engine;
  readonly blockSize: number;
  readonly order: Result[] = [];

  constructor(...flags: string[]) {
    const settings = resolveSettings(parseArguments(['org/model', ...flags]), {});
    this.metrics = new EngineMetrics(settings);
    this.engine = new Engine(settings, this.clock, this.metrics.engine(0));
    this.blockSize = settings.blockSize;
  }

  ask({ prompt = tokens(20), maxTokens = 10, priority = 0, adapter }: Ask = {}): Result {
    const source = new GeneratedSource({
      seed: 5,
      meanTokens: 1,
      minTokens: Number.POSITIVE_INFINITY,
      stop: [],
      includeStop: false,
    });
    const result: Omit<Result, 'sequence'> = { text: '', firstAt: 0, end: undefined, endAt: 0 };
    const sequence = this.engine.submit({
      prompt: hashPrompt(prompt, this.blockSize),
      source,
      maxTokens,
      priority,
      n: 1,
      ...(adapter === undefined ? {} : { adapter }),
      emit: ({ text, end }) => {
        full.text += text;
        full.firstAt = full.firstAt === 0 ? this.clock.now() : full.firstAt;
        if (end !== undefined) {
          full.end = end;
          full.endAt = this.clock.now();
          this.order.push(full);
        }
      },
    });
    const full: Result = Object.assign(result, { sequence });
    return full;
  }

  metric(name: string): number {
    this.engine.report();
    const line = this.metrics
      .render()
      .split('\n')
      .find((text) => text.startsWith(`vllm:${name}{`));
    return Number(line?.split(' ').at(-1));
  }
}

function tokens(length: number, first = 0): number[] {
  return Array.from({ length }, (_, i) => first + i);
}

describe('engine', () => {
  test('gives the first token after the prefill and one per step after', () => {
    const bench = new Bench();
    const result = bench.ask({ prompt: tokens(256), maxTokens: 11 });
    bench.clock.advance();
    // 30 ms of overhead, 0.2 ms per token and a step of 12 ms; then ten steps.
    expect(result.firstAt).toBeCloseTo(30 + 256 * 0.2 + 12, 5);
    expect(result.endAt - result.firstAt).toBeCloseTo(10 * 12, 5);
    expect(result.end).toMatchObject({ reason: 'length', outputTokens: 11 });
  });

  test('prefills only what the cache lacks', () => {
    const bench = new Bench();
    const first = bench.ask({ prompt: tokens(330), maxTokens: 1 });
    bench.clock.advance();
    const started = bench.clock.now();
    const second = bench.ask({ prompt: [...tokens(325), ...tokens(5, 1000)], maxTokens: 1 });
    bench.clock.advance();
    expect(first.end?.cachedTokens).toBe(0);
    expect(second.end?.cachedTokens).toBe(320);
    expect(second.firstAt - started).toBeCloseTo(30 + 10 * 0.2 + 12, 5);
    expect(bench.metric('prefix_cache_hits_total')).toBe(320);
    expect(bench.metric('prefix_cache_queries_total')).toBe(660);
  });

  test('computes the last token of a prompt that is cached whole', () => {
    const bench = new Bench();
    bench.ask({ prompt: tokens(32), maxTokens: 1 });
    bench.clock.advance();
    const again = bench.ask({ prompt: tokens(32), maxTokens: 1 });
    bench.clock.advance();
    expect(again.end?.cachedTokens).toBe(16);
  });

  test('caches nothing with --no-enable-prefix-caching', () => {
    const bench = new Bench('--no-enable-prefix-caching');
    bench.ask({ prompt: tokens(100) });
    bench.clock.advance();
    const again = bench.ask({ prompt: tokens(100) });
    bench.clock.advance();
    expect(again.end?.cachedTokens).toBe(0);
  });

  test('runs --max-num-seqs at once and the rest first come, first served', () => {
    const bench = new Bench('--max-num-seqs', '2');
    const results = [12, 4, 4, 4].map((maxTokens) => bench.ask({ maxTokens }));
    expect([bench.engine.runningCount, bench.engine.waitingCount]).toEqual([1, 3]);
    bench.clock.advance(60);
    expect([bench.engine.runningCount, bench.engine.waitingCount]).toEqual([2, 2]);
    expect(bench.metric('num_requests_waiting')).toBe(2);
    bench.clock.advance();
    expect(bench.order.map((r) => results.indexOf(r))).toEqual([1, 2, 0, 3]);
  });

  test('takes lower priorities first when told to', () => {
    const bench = new Bench('--max-num-seqs', '1', '--scheduling-policy', 'priority');
    const results = [0, 5, -1, 2].map((priority) => bench.ask({ priority }));
    bench.clock.advance();
    expect(bench.order.map((r) => results.indexOf(r))).toEqual([0, 2, 3, 1]);
  });

  test('splits a prompt longer than the token budget over steps', () => {
    const bench = new Bench('--max-num-batched-tokens', '100');
    const result = bench.ask({ prompt: tokens(250), maxTokens: 1 });
    bench.clock.advance();
    expect(result.firstAt).toBeCloseTo(3 * 42 + 250 * 0.2, 5);
  });

  test('preempts the last when blocks run out, and still finishes everyone with the same text', () => {
    const roomy = new Bench();
    const expected = roomy.ask({ prompt: tokens(60), maxTokens: 60 });
    roomy.clock.advance();
    const bench = new Bench('--num-gpu-blocks-override', '18', '--no-enable-prefix-caching');
    const results = [0, 1, 2, 3].map((i) => bench.ask({ prompt: tokens(60, i * 1000), maxTokens: 60 }));
    bench.clock.advance();
    expect(bench.engine.preemptions).toBeGreaterThan(0);
    expect(bench.metric('num_preemptions_total')).toBe(bench.engine.preemptions);
    expect(results.map((r) => [r.end?.reason, r.end?.outputTokens, r.text])).toEqual(
      results.map(() => ['length', 60, expected.text]),
    );
    expect(bench.engine.pool.usage).toBe(0);
  });

  test('runs who was preempted before who came later', () => {
    const bench = new Bench('--num-gpu-blocks-override', '12', '--max-num-seqs', '2');
    // The last needs seven of the eleven blocks, so that it and the preempted one cannot run together.
    const results = [60, 60, 100].map((length, i) =>
      bench.ask({ prompt: tokens(length, i * 1000), maxTokens: length === 60 ? 60 : 5 }),
    );
    bench.clock.advance();
    expect(bench.engine.preemptions).toBeGreaterThan(0);
    expect(bench.order.map((r) => results.indexOf(r))).toEqual([0, 1, 2]);
  });

  test('ends a request that can never fit with an error instead of waiting for ever', () => {
    const bench = new Bench('--num-gpu-blocks-override', '4');
    const result = bench.ask({ prompt: tokens(100) });
    bench.clock.advance();
    expect(result.end?.reason).toBe('error');
  });

  test('slows down under load', () => {
    const alone = new Bench('--max-num-seqs', '8');
    const one = alone.ask({ maxTokens: 20 });
    alone.clock.advance();
    const crowded = new Bench('--max-num-seqs', '8');
    const many = Array.from({ length: 8 }, () => crowded.ask({ maxTokens: 20 }));
    crowded.clock.advance();
    expect((many[7]?.endAt ?? 0) - (many[7]?.firstAt ?? 0)).toBeGreaterThan(1.9 * (one.endAt - one.firstAt));
  });

  test('frees the blocks of an aborted request at once', () => {
    const bench = new Bench();
    const result = bench.ask({ prompt: tokens(320), maxTokens: 500 });
    bench.clock.advance(200);
    expect(bench.engine.pool.usage).toBeGreaterThan(0);
    bench.engine.abort(result.sequence);
    expect(result.end?.reason).toBe('abort');
    expect(bench.engine.pool.usage).toBe(0);
    expect([bench.engine.runningCount, bench.engine.waitingCount]).toEqual([0, 0]);
  });

  test('keeps requests waiting while paused', () => {
    const bench = new Bench();
    bench.engine.pause();
    const result = bench.ask();
    bench.clock.advance(60_000);
    expect(result.end).toBeUndefined();
    bench.engine.resume();
    bench.clock.advance();
    expect(result.end?.reason).toBe('length');
  });

  test('runs no more adapters at once than --max-loras', () => {
    const bench = new Bench('--enable-lora', '--max-loras', '1');
    const results = ['a', 'b', 'a'].map((adapter) => bench.ask({ adapter }));
    bench.clock.advance();
    expect(bench.order.map((r) => results.indexOf(r))).toEqual([0, 2, 1]);
  });
});
