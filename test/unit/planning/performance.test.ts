/** The performance formula against published measurements, and what holds for any engine. */
import { describe, expect, it } from 'vitest';
import { compare, readMeasurements } from '../../../hack/generate/measured-error.ts';
import { judged, performanceFiles, summarize } from '../../../hack/generate/performance.ts';
import { type EngineShape, PerformanceModel } from '../../../operator/planning/performance.ts';
import { ACCELERATOR_PEAKS } from '../../../operator/vllm/accelerator-peaks.ts';

const compared = readMeasurements().map(compare);

describe('the formula and published measurements', () => {
  it('compares each row, or says why it cannot', () => {
    expect(compared).toHaveLength(438);
    for (const { row, error, reason } of compared) {
      expect(Object.keys(error).length > 0, row.id).toBe(reason === undefined);
      expect(row.source, row.id).not.toBe('');
    }
    expect(compared.filter(({ reason }) => reason !== undefined).length).toBeLessThan(60);
  });

  it.each([
    ['tokenSeconds', 10],
    ['throughput', 10],
    ['firstToken', 25],
    ['firstTokenP99', 25],
    ['tokenSecondsP99', 25],
  ] as const)('has a median error of %s below %d %%', (figure, most) => {
    expect(summarize(judged(compared), figure)?.median).toBeLessThanOrEqual(most);
    expect(summarize(compared, figure)?.median).toBeLessThanOrEqual(25);
  });

  it('states the worst row of each figure in the reference', () => {
    const [[, page = ''] = []] = performanceFiles();
    for (const figure of ['tokenSeconds', 'throughput', 'firstToken', 'firstTokenP99'] as const) {
      expect(page).toContain(`${summarize(judged(compared), figure)?.worst} %`);
    }
  });

  it.each([
    ['R001', 17.75],
    ['R080', 28.25],
    ['R163', 3.82],
  ])('takes nothing from %s: its prediction is the formula alone', (id, milliseconds) => {
    const found = compared.find(({ row }) => row.id === id);
    const measured = Number(found?.row.tokenMs);
    expect(measured * (1 + (found?.error.tokenSeconds ?? 0))).toBeCloseTo(milliseconds, 1);
  });
});

describe('any engine', () => {
  const shape: EngineShape = {
    layers: 32,
    hidden: 4096,
    attentionWidth: 4096,
    kvHeads: 8,
    denseBytes: 15e9,
    activeParameters: 7.5e9,
    weightFormat: 'bf16',
    kvBytes: (tokens) => tokens * 131_072,
    tensorParallelSize: 1,
    kvSequences: (tokens) => 400_000 / tokens,
    maxNumSeqs: 256,
    maxNumBatchedTokens: 8192,
  };
  const peaks = ACCELERATOR_PEAKS.H100;
  if (peaks === undefined) throw new Error('no peaks of the H100');
  const model = (more: Partial<EngineShape> = {}, request = { promptTokens: 500, outputTokens: 200 }) =>
    new PerformanceModel({ ...shape, ...more }, peaks, request);

  it('cannot be faster than its memory reads the weights', () => {
    expect(model().decodeSeconds(1)).toBeGreaterThan(15e9 / 3350e9);
  });

  it('is slower under more load, and never answers above its capacity', () => {
    const rates = [0.1, 1, 5, 10, 20];
    const times = rates.map((rate) => model().atRate(rate).requestSecondsP99);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(model().atRate(model().capacity * 1.01).requestSecondsP99).toBe(Number.POSITIVE_INFINITY);
  });

  it('runs as many sequences as arrive while one is served', () => {
    const at = model().atRate(10);
    const residence = at.firstTokenSeconds + 200 * at.tokenSeconds;
    expect(at.running).toBeCloseTo(10 * residence, 1);
  });

  it('is limited by the KV cache as well as by the sequences of a step', () => {
    expect(model({ maxNumSeqs: 8 }).mostRunning).toBe(8);
    expect(model({ kvSequences: (tokens) => 6_000 / tokens }).mostRunning).toBe(10);
  });

  it('computes less of a prompt that is partly in the prefix cache', () => {
    const request = { promptTokens: 500, outputTokens: 200, cachedShare: 0.5 };
    expect(model({}, request).promptSeconds).toBeLessThan(model().promptSeconds * 0.6);
  });

  it('has less time for each token with more ranks, but not in proportion', () => {
    const one = model().decodeSeconds(8);
    const eight = model({ tensorParallelSize: 8 }).decodeSeconds(8);
    expect(eight).toBeLessThan(one);
    expect(eight).toBeGreaterThan(one / 8);
  });
});
