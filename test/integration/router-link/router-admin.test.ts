import { describe, expect, it } from 'vitest';
import { certificatePeriod } from '../../../operator/pki/certificates.ts';
import { createAuthority, issueClientCertificate, rotateAuthority } from '../../../operator/pki/pki.ts';
import { RouterAdmin } from '../../../operator/router/router-admin.ts';
import type { RouterAdminError } from '../../../operator/router/router-admin-error.ts';
import { closeAfterTest, never, serverCertificate, setUp, table } from './support/fixtures.ts';

async function failureOf(promise: Promise<unknown>): Promise<RouterAdminError> {
  return await promise.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: RouterAdminError) => error,
  );
}

describe('RouterAdmin', () => {
  it('sends tables and reads demand over mutual TLS', async () => {
    const { admin, startRouter } = await setUp();
    const router = await startRouter('a');
    await admin.putRoutes(router.endpoint, table(5), never);
    expect(router.applied).toEqual([table(5)]);
    router.hold('uid-llama');
    const report = await admin.demand(router.endpoint, { since: 0, waitMs: 0 }, never);
    expect(report).toMatchObject({ seq: 2, version: 5, models: { 'uid-llama': { held: 1 } } });
  });

  it('waits for a hold and returns at once when there is one', async () => {
    const { admin, startRouter } = await setUp();
    const router = await startRouter('a');
    const polled = admin.demand(router.endpoint, { since: router.seq, waitMs: 60_000 }, never);
    await expect
      .poll(() => router.requests.includes('GET /demand'), { message: 'the poll arrived' })
      .toBeTruthy();
    router.hold('uid-llama');
    expect((await polled).seq).toBe(2);
  });

  it('is not admitted with a certificate of another authority', async () => {
    const { startRouter } = await setUp();
    const router = await startRouter('a');
    const stranger = await createAuthority({ now: new Date() });
    const certificate = await issueClientCertificate(stranger, { now: new Date() });
    const admin = new RouterAdmin({ certificate: async () => certificate });
    closeAfterTest(() => admin.close());
    await failureOf(admin.putRoutes(router.endpoint, table(5), never));
    expect(router.requests).toEqual([]);
  });

  it('sends nothing to a server that took the place of a router it knows', async () => {
    const { admin, startRouter } = await setUp();
    const router = await startRouter('a');
    await admin.putRoutes(router.endpoint, table(5), never);
    await router.stop();
    await router.start(await serverCertificate());
    router.requests = [];
    const untrusted = async () => await failureOf(admin.putRoutes(router.endpoint, table(6), never));
    let failure = await untrusted();
    // The connection that the stop has cut may be noticed only now.
    while (failure.code === 'Unreachable') failure = await untrusted();
    expect(failure.code).toBe('Untrusted');
    expect(router.requests).toEqual([]);
  });

  it('trusts a new pod at the address of an old one', async () => {
    const { admin, startRouter } = await setUp();
    const router = await startRouter('a');
    await admin.putRoutes(router.endpoint, table(5), never);
    await router.stop();
    await router.start(await serverCertificate());
    await admin.putRoutes({ ...router.endpoint, id: 'b' }, table(6), never);
    expect(router.version).toBe(6);
  });

  it('changes its certificate without a failed request', async () => {
    const { admin, client, authority, startRouter } = await setUp();
    const router = await startRouter('a');
    const polled = admin.demand(router.endpoint, { since: router.seq, waitMs: 60_000 }, never);
    await expect
      .poll(() => router.requests.includes('GET /demand'), { message: 'the poll arrived' })
      .toBeTruthy();
    client.certificate = await issueClientCertificate(authority, { now: new Date() });
    await admin.putRoutes(router.endpoint, table(5), never);
    router.hold('uid-llama');
    expect((await polled).seq).toBe(2);
    expect(router.clients.size).toBe(2);
  });

  it('is admitted by a router that learned of the authority before a rotation', async () => {
    const { admin, client, authority, startRouter } = await setUp();
    const router = await startRouter('a');
    const { notBefore, notAfter } = certificatePeriod(authority.current.certificatePem);
    const due = new Date(notBefore.getTime() + ((notAfter.getTime() - notBefore.getTime()) * 2) / 3);
    const rotating = await rotateAuthority(authority, { now: due });
    expect(rotating.next).toBeDefined();
    client.certificate = await issueClientCertificate(rotating, { now: new Date() });
    await admin.putRoutes(router.endpoint, table(5), never);
  });

  it('reports the error', async () => {
    const { admin, startRouter } = await setUp();
    const router = await startRouter('a');
    await admin.putRoutes(router.endpoint, table(9), never);
    expect(await failureOf(admin.putRoutes(router.endpoint, table(8), never))).toMatchObject({
      code: 'Superseded',
      newerVersion: 9,
    });

    const answers: [number, string, string][] = [
      [400, '{"error":{"message":"it is not a route table"}}', 'Rejected'],
      [401, '{"error":{"message":"not the operator"}}', 'Unauthorized'],
      [500, 'oops', 'Rejected'],
      [200, '{"version":"9"}', 'Malformed'],
      [200, '{"version":8}', 'Malformed'],
      [200, 'oops', 'Malformed'],
    ];
    for (const [status, body, code] of answers) {
      router.intercept = (request, response) => {
        request.resume();
        response.writeHead(status).end(body);
        return true;
      };
      const failure = await failureOf(admin.putRoutes(router.endpoint, table(9), never));
      expect(failure.code, body).toBe(code);
      expect(failure.message).toContain('router-a');
    }

    await router.stop();
    expect((await failureOf(admin.demand(router.endpoint, { since: 0, waitMs: 0 }, never))).code).toBe(
      'Unreachable',
    );
  });

  it.each(['GET', 'PUT'])('reads of an answer to %s only what such an answer can be', async (method) => {
    const { admin, startRouter } = await setUp();
    const router = await startRouter('a');
    let sent = 0;
    let cut = () => {};
    const isCut = new Promise<void>((resolve) => {
      cut = resolve;
    });
    router.intercept = (request, response) => {
      request.resume();
      response.on('close', cut).on('error', () => {});
      const chunk = Buffer.alloc(65_536, ' ');
      const write = () => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length;
      };
      response.on('drain', write);
      write();
      return true;
    };
    const failing =
      method === 'GET'
        ? admin.demand(router.endpoint, { since: 0, waitMs: 0 }, never)
        : admin.putRoutes(router.endpoint, table(5), never);
    expect(await failureOf(failing)).toMatchObject({
      code: 'Malformed',
      message: expect.stringMatching(/longer than \d+ bytes/) as string,
    });
    await isCut;
    // What sockets hold comes on top.
    expect(sent).toBeLessThan(32 * 1024 * 1024);
  });

  it.each([
    '{"seq":1,"version":9e15,"models":{}}',
    '{"seq":1,"version":1.5,"models":{}}',
    '{"seq":1e300,"version":1,"models":{}}',
    '{"seq":1,"version":1,"models":{"a":{"inFlight":1e300,"held":0,"queued":0,"ageMs":0}}}',
  ])('takes no number that cannot be: %s', async (body) => {
    const { admin, startRouter } = await setUp();
    const router = await startRouter('a');
    router.intercept = (_, response) => {
      response.end(body);
      return true;
    };
    const failure = await failureOf(admin.demand(router.endpoint, { since: 0, waitMs: 0 }, never));
    expect(failure.code).toBe('Malformed');
    expect(failure.message.length).toBeLessThan(400);
  });

  it('reads nothing of an answer about more models than a router has room for', async () => {
    const { admin, startRouter } = await setUp();
    const router = await startRouter('a');
    router.intercept = (_, response) => {
      const models = Object.fromEntries(Array.from({ length: 20_000 }, (_unused, i) => [`m${i}`, 1]));
      response.end(JSON.stringify({ seq: 1, version: 1, startedMs: 0, models }));
      return true;
    };
    const failure = await failureOf(admin.demand(router.endpoint, { since: 0, waitMs: 0 }, never));
    expect(failure).toMatchObject({
      code: 'Malformed',
      message: expect.stringContaining('16384 models') as string,
    });
  });

  it('times out on a router that does not respond, by the injected clock', async () => {
    const { client, startRouter } = await setUp();
    const router = await startRouter('a');
    router.intercept = () => true;
    const timers: (() => void)[] = [];
    const clock = {
      now: () => 0,
      monotonic: () => 0,
      setTimeout: (callback: () => void) => {
        timers.push(callback);
        return () => {};
      },
    };
    const admin = new RouterAdmin({ certificate: async () => client.certificate, clock });
    closeAfterTest(() => admin.close());
    const failing = failureOf(admin.putRoutes(router.endpoint, table(5), never));
    await expect.poll(() => router.requests.length > 0, { message: 'the request arrived' }).toBe(true);
    for (const timer of timers) timer();
    expect((await failing).code).toBe('Timeout');
  });

  it('ends with the reason of its caller', async () => {
    const { admin, startRouter } = await setUp();
    const router = await startRouter('a');
    const caller = new AbortController();
    const polled = admin.demand(router.endpoint, { since: router.seq, waitMs: 60_000 }, caller.signal);
    await expect.poll(() => router.requests.length > 0, { message: 'the poll arrived' }).toBe(true);
    const reason = new Error('stopping');
    caller.abort(reason);
    await expect(polled).rejects.toBe(reason);
  });
});
