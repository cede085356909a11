import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { createOperator } from '../../../operator/controllers/operator.ts';
import { KubeClient } from '../../../operator/kube/client.ts';
import { systemClock } from '../../../operator/kube/clock.ts';
import { silentLogger } from '../../../operator/kube/logger.ts';
import { MiniApi } from '../kube/support/mini-api.ts';
import { aState } from './support.ts';

it('renews its Lease also while all connections are in use, as when a slow API server holds up many writes', async () => {
  const api = await MiniApi.start();
  // As many as there are watches, which keep them.
  const transport = api.transport({ connections: Object.keys(aState()).length });
  const stop = new AbortController();
  const { manager } = createOperator({
    client: new KubeClient(transport),
    namespace: 'operator',
    identity: 'a',
    log: silentLogger,
    registry: new Registry(),
    clock: systemClock,
    leaderElection: true,
    probePort: 0,
    probeHost: '127.0.0.1',
    exit: () => stop.abort(),
  });
  const running = manager.run(stop.signal);
  await expect.poll(() => manager.isLeader).toBe(true);
  stop.abort();
  await transport.close();
  await running;
  await api.close();
});
