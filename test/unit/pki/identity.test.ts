/** The keys of an operator that runs, while somebody changes the Secret that has them. */
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../operator/kube/logger.ts';
import { Identity } from '../../../operator/pki/identity.ts';
import { type Authority, AuthorityError, createAuthority } from '../../../operator/pki/pki.ts';
import { FakeClock } from '../kube/support/fake-clock.ts';

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
const never = new AbortController().signal;

/** An operator that has loaded its authority, and the Secret that the next read finds. */
async function setUp() {
  const clock = new FakeClock();
  const now = new Date(clock.now());
  let stored: Authority | Error = await createAuthority({ now });
  let reads = 0;
  const errors: string[] = [];
  const load = async () => {
    reads += 1;
    if (stored instanceof Error) throw stored;
    return stored;
  };
  const log = { ...silentLogger, error: (_fields: object, message: string) => void errors.push(message) };
  const identity = new Identity({ store: { load }, clock, log });
  await identity.load(never);
  return {
    ...{ identity, clock, errors, now },
    reads: () => reads,
    find: (found: Authority | Error) => {
      stored = found;
    },
  };
}

const garbled = new AuthorityError('ca.crt', 'missing');

describe('a Secret that cannot be read any more', () => {
  it('leaves a running operator the keys that it has, and is read again each minute', async () => {
    const { identity, clock, errors, reads, find } = await setUp();
    const certificate = await identity.clientCertificate(never);
    find(garbled);
    await clock.advance(HOUR_MS);
    expect(await identity.clientCertificate(never)).toBe(certificate);
    await identity.load(never);
    expect([reads(), errors.length]).toEqual([2, 1]);
    expect(errors[0]).toMatch(/going on with the keys in memory/);
    await clock.advance(60_000);
    await identity.load(never);
    expect([reads(), errors.length]).toEqual([3, 2]);
  });

  it('ends the operator’s access once its CA has expired, with the reason', async () => {
    const { identity, clock, find } = await setUp();
    find(garbled);
    await clock.advance(11 * YEAR_MS);
    await expect(identity.clientCertificate(never)).rejects.toThrow(garbled);
  });
});

describe('a new authority', () => {
  it('is told to those who depend on it, once', async () => {
    const { identity, clock, now, find } = await setUp();
    let told = 0;
    identity.subscribe(() => {
      told += 1;
    });
    await clock.advance(HOUR_MS);
    await identity.load(never);
    expect(told).toBe(0);
    find(await createAuthority({ now }));
    await clock.advance(HOUR_MS);
    await identity.load(never);
    await identity.load(never);
    expect(told).toBe(1);
  });
});
