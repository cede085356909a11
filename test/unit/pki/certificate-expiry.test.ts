import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { certificateExpiry } from '../../../operator/pki/certificate-expiry.ts';

const HOUR_MS = 60 * 60_000;

it('the end of a certificate is shown while it is wanted, also if it cannot be renewed', async () => {
  const registry = new Registry();
  let now = 1_000_000;
  const clock = {
    now: () => now,
    monotonic: () => now,
    setTimeout: () => () => {},
  };
  const expiry = certificateExpiry(registry, 'router-client', clock);
  certificateExpiry(registry, 'ca', clock).issued(new Date(5_000_000));
  const shown = async () => {
    const line = (await registry.metrics()).match(/\{certificate="router-client"\} (.+)/);
    return line ? Number(line[1]) : undefined;
  };
  expect(await shown()).toBeUndefined();
  expiry.wanted();
  expiry.issued(new Date(9_000_000));
  expect(await shown()).toBe(9000);
  now += 23 * HOUR_MS;
  expiry.wanted();
  now += 23 * HOUR_MS;
  expect(await shown()).toBe(9000);
  now += 2 * HOUR_MS;
  expect(await shown()).toBeUndefined();
});
