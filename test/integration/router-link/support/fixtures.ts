/** What the tests of the link between operator and routers share. */
import { afterEach } from 'vitest';
import { type CertificateAndKey, createCa } from '../../../../operator/pki/certificates.ts';
import {
  type Authority,
  createAuthority,
  issueClientCertificate,
  trustBundle,
} from '../../../../operator/pki/pki.ts';
import type { RouteTable } from '../../../../operator/router/route-table.ts';
import { RouterAdmin } from '../../../../operator/router/router-admin.ts';
import { model } from '../../../support/route-table.ts';
import { FakeRouter } from './fake-router.ts';

export const never = new AbortController().signal;

/** A table with one model whose state tells tables apart. */
export function table(version: number, name = 'llama'): RouteTable {
  return {
    version,
    pool: { namespace: 'platform', name: 'a100' },
    loadBalancing: 'LeastRequests',
    auth: 'None',
    cacheMaxEntryBytes: 1048576,
    keys: [],
    models: [model(name, [])],
  };
}

/** A self-made server certificate, as routers have. */
export async function serverCertificate(): Promise<CertificateAndKey> {
  return await createCa('router', 3_600_000, { now: new Date() });
}

/** An operator's certificates, an admin client, and routers that trust them; all is closed after each test. */
export async function setUp() {
  const authority = await createAuthority({ now: new Date() });
  const client = { certificate: await issueClientCertificate(authority, { now: new Date() }) };
  const admin = new RouterAdmin({ certificate: async () => client.certificate });
  closing.push(() => admin.close());
  return {
    authority,
    client,
    admin,
    startRouter: async (id: string) => await startFakeRouter(id, authority),
  };
}

async function startFakeRouter(id: string, authority: Authority): Promise<FakeRouter> {
  const router = new FakeRouter(id, { server: await serverCertificate(), clientCa: trustBundle(authority) });
  closing.push(() => router.stop());
  return await router.start();
}

const closing: (() => Promise<unknown>)[] = [];

/** Runs after the test, in reverse order of registration. */
export function closeAfterTest(close: () => Promise<unknown>): void {
  closing.push(close);
}

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
