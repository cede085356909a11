import { expect, it } from 'vitest';
import { ProgressOutput } from '../../../operator/cli/progress-output.ts';

const report = (elapsedSeconds: number) => ({
  elapsedSeconds,
  totalSeconds: 100,
  open: 3,
  completed: 40,
  failed: 1,
  requestsPerSecond: 9.5,
  latencyP95Ms: 812,
});

function shown(isTerminal: boolean) {
  let text = '';
  const output = new ProgressOutput((part) => {
    text += part;
  }, isTerminal);
  return { output, text: () => text };
}

it('is one line on a terminal, with a bar that grows, and messages have lines of their own', () => {
  const { output, text } = shown(true);
  output.show(report(50));
  output.line('first failure');
  output.show(report(100.5));
  output.end();
  const start = '\r\u001b[K';
  const numbers = '9.5/s, p95 812 ms, 3 open, 40 done, 1 failed';
  expect(text()).toBe(
    [
      `${start}[##########..........] 0:50 of 1:40: ${numbers}`,
      'first failure',
      `${start}[####################] 1:40 waiting for the last answers: ${numbers}`,
      '',
    ].join('\n'),
  );
});

it('is a line for each tenth report elsewhere', () => {
  const { output, text } = shown(false);
  for (let second = 1; second <= 25; second++) output.show(report(second));
  output.end();
  expect(text().match(/^0:\d\d of 1:40: 9\.5\/s/gm)).toEqual([
    '0:01 of 1:40: 9.5/s',
    '0:11 of 1:40: 9.5/s',
    '0:21 of 1:40: 9.5/s',
  ]);
});
