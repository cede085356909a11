import { describe, expect, it } from 'vitest';
import { plotSvg } from '../../../operator/bench/plot.ts';
import { plotResults } from '../../../operator/bench/plot-result.ts';
import { loadResult, stepResult } from './support/load-result.ts';

const texts = (svg: string): string[] =>
  [...svg.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, text = '']) => text);
const count = (svg: string, element: string): number => svg.split(element).length - 1;

describe('the plot of a load', () => {
  const objectives = [{ measure: 'first-token' as const, percentile: 'p99' as const, ms: 500 }];
  const result = loadResult(
    [
      stepResult({ rate: 10, firstTokenMs: 100, meetsObjectives: true }),
      stepResult({ rate: 20, firstTokenMs: 300, meetsObjectives: true }),
      stepResult({ rate: 30, firstTokenMs: 900, meetsObjectives: false }),
    ],
    { objectives },
  );

  it('has a dot for each rate, a cross for one that missed the objective, and the objective as a line', () => {
    const svg = plotResults([{ name: 'measured', result }]);
    expect(count(svg, '<circle')).toBe(2);
    expect(count(svg, 'l10 10m0 -10l-10 10')).toBe(1);
    expect(count(svg, 'stroke-dasharray')).toBe(1);
    expect(texts(svg)).toEqual(
      expect.arrayContaining(['requests a second', 'p99, ms', 'objective 500 ms', '0', '30', '1,000']),
    );
    // 900 of 1,000 ms from the bottom at 400 to the top at 50.
    expect(svg).toContain('780 85"');
  });

  it('names the lines if there is a baseline, and has a logarithmic scale if it is far away', () => {
    const slow = loadResult([stepResult({ rate: 10, firstTokenMs: 60_000 })]);
    const svg = plotResults([
      { name: 'measured', result },
      { name: 'baseline', result: slow },
    ]);
    expect(texts(svg)).toEqual(
      expect.arrayContaining(['measured', 'baseline', '100', '1,000', '10,000', '100,000']),
    );
  });

  it('of nothing has axes', () => {
    expect(texts(plotResults([{ name: 'measured', result: loadResult([]) }]))).toContain('1');
  });
});

it('names of users and servers cannot end an element', () => {
  const svg = plotSvg({
    title: '</text><script>alert("&")</script>\u0007',
    xLabel: '',
    yLabel: '',
    lines: [],
  });
  expect(svg).not.toContain('<script');
  expect(texts(svg)[0]).toBe('&#60;/text&#62;&#60;script&#62;alert(&#34;&#38;&#34;)&#60;/script&#62;\\u0007');
});
