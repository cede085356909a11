/** A process of routers that report demand; ends when its parent lets go of it. */
import { once } from 'node:events';
import { createCa } from '../../../operator/pki/certificates.ts';
import { FakeRouter } from '../../integration/router-link/support/fake-router.ts';
import { modelUid } from './model-uid.ts';

export interface FakeRoutersRequest {
  routers: number;
  /** Each with a request in flight. */
  models: number;
  /** PEM of the CAs whose clients are admitted. */
  clientCa: string;
}

const [request] = (await once(process, 'message')) as [FakeRoutersRequest];
const server = await createCa('router', 3_600_000, { now: new Date() });
const demand = Object.fromEntries(
  Array.from({ length: request.models }, (_, index) => [
    modelUid(index),
    { inFlight: 3, held: 0, queued: 1, ageMs: 12 },
  ]),
);
const routers = await Promise.all(
  Array.from({ length: request.routers }, async (_, index) => {
    const router = new FakeRouter(`router-${index}`, { server, clientCa: request.clientCa });
    router.demand = demand;
    return await router.start();
  }),
);
process.send?.(routers.map(({ endpoint }) => endpoint));
await once(process, 'disconnect');
await Promise.all(routers.map((router) => router.stop()));
