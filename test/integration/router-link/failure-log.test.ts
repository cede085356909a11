import { expect, it } from 'vitest';
import { systemClock } from '../../../operator/kube/clock.ts';
import { type Logger, silentLogger } from '../../../operator/kube/logger.ts';
import { RouterFleet } from '../../../operator/router/router-fleet.ts';
import { closeAfterTest, setUp, table } from './support/fixtures.ts';

async function setUpFleet() {
  const { admin, startRouter } = await setUp();
  let offset = 0;
  const clock = { ...systemClock, monotonic: () => performance.now() + offset };
  const lines: string[] = [];
  const log: Logger = {
    ...silentLogger,
    ...Object.fromEntries(
      (['debug', 'info', 'warn'] as const).map((level) => [
        level,
        (_: object, message: string) => lines.push(`${level}: ${message}`),
      ]),
    ),
  };
  const fleet = new RouterFleet({ admin, clock, log, pollWaitMs: 20 });
  closeAfterTest(() => fleet.close());
  fleet.publish(table(5));
  const pass = (ms: number) => {
    offset += ms;
  };
  return { fleet, startRouter, lines, pass };
}

const SILENT = ['router does not respond', 'cannot send routes'];
const at = (level: string) => SILENT.map((message) => `${level}: ${message}`).sort();

it('does not warn of a router whose pod starts, until a minute has passed', async () => {
  const { fleet, startRouter, lines, pass } = await setUpFleet();
  const router = await startRouter('a');
  await router.stop();
  fleet.setRouters([{ ...router.endpoint, ready: false }]);
  await expect.poll(() => lines.toSorted()).toEqual(at('debug'));
  lines.length = 0;
  pass(61_000);
  await expect
    .poll(() => lines.filter((line) => SILENT.some((each) => line.endsWith(each))).sort())
    .toEqual(at('warn'));
  await router.start();
  await expect.poll(() => lines).toContain('info: router responds again');
});

it('says nothing more when a router has started', async () => {
  const { fleet, startRouter, lines } = await setUpFleet();
  const router = await startRouter('a');
  await router.stop();
  fleet.setRouters([{ ...router.endpoint, ready: false }]);
  await expect.poll(() => lines).toHaveLength(2);
  await router.start();
  await expect.poll(() => fleet.isConfirmed(5)).toBe(true);
  expect(lines.toSorted()).toEqual(at('debug'));
});

it('warns at once of a router that is ready or has responded before', async () => {
  const { fleet, startRouter, lines } = await setUpFleet();
  const [ready, known] = [await startRouter('ready'), await startRouter('known')];
  await ready.stop();
  fleet.setRouters([ready.endpoint]);
  await expect.poll(() => lines.toSorted()).toEqual(at('warn'));
  lines.length = 0;
  fleet.setRouters([{ ...known.endpoint, ready: false }]);
  await expect.poll(() => fleet.isConfirmed(5)).toBe(true);
  await known.stop();
  await expect.poll(() => lines).toContain('warn: router does not respond');
});

it('does not warn of a router whose pod stops', async () => {
  const { fleet, startRouter, lines } = await setUpFleet();
  const router = await startRouter('a');
  fleet.setRouters([router.endpoint]);
  await expect.poll(() => fleet.isConfirmed(5)).toBe(true);
  fleet.setRouters([{ ...router.endpoint, stopping: true }]);
  await router.stop();
  await expect.poll(() => lines).toContain('debug: router does not respond');
  expect(lines.filter((line) => line.startsWith('warn'))).toEqual([]);
});
