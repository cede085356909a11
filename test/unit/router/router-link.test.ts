import { expect, it } from 'vitest';
import { silentLogger } from '../../../operator/kube/logger.ts';
import { RouterLink } from '../../../operator/router/router-link.ts';
import { FakeClock } from '../kube/support/fake-clock.ts';

/** How often a router is asked in one second that answers at once, about this many models. */
async function pollsOf(models: number): Promise<number> {
  const clock = new FakeClock();
  const demand = { inFlight: 1, held: 0, queued: 0, ageMs: 0 };
  const report = {
    seq: 1,
    version: 1,
    models: Object.fromEntries(Array.from({ length: models }, (_, i) => [`uid-${i}`, demand])),
  };
  let polls = 0;
  const link = new RouterLink({
    endpoint: { id: 'a', name: 'a', address: '127.0.0.1:8081', ready: true, stopping: false },
    admin: {
      demand: async () => {
        polls += 1;
        return report;
      },
      putRoutes: async () => undefined,
      patchRoutes: async () => undefined,
    },
    pollWaitMs: 30_000,
    clock,
    random: () => 0,
    log: silentLogger,
    onReport: () => undefined,
    onError: () => undefined,
    onStatus: () => undefined,
  });
  const stop = new AbortController();
  const running = link.run(stop.signal);
  await clock.advance(1_000);
  stop.abort();
  await running;
  return polls;
}

it('asks a router less often the more models it reports, since the operator has to read all of them', async () => {
  const few = await pollsOf(10);
  expect(few, 'a held request is known at once').toBeGreaterThan(80);
  expect(await pollsOf(5_000)).toBeLessThan(20);
  expect(await pollsOf(16_384)).toBeLessThan(8);
});
