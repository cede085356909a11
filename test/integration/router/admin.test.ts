import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect } from 'node:tls';
import { Agent, request } from 'undici';
import { describe, expect, test } from 'vitest';
import { createAuthority, issueClientCertificate } from '../../../operator/pki/pki.ts';
import { model, table } from '../../support/route-table.ts';
import { perTest } from './support/per-test.ts';
import { type Router, startRouter } from './support/router.ts';
import { openStream } from './support/stream.ts';

describe('administration', () => {
  const { engine, start } = perTest();

  test('only the holder of a certificate of the operator gets in', async () => {
    const router = await start();
    const stranger = await issueClientCertificate(await createAuthority({ now: new Date() }), {
      now: new Date(),
    });
    for (const identity of [{}, { cert: stranger.certificatePem, key: stranger.privateKeyPem }]) {
      const dispatcher = new Agent({ connect: { ...identity, rejectUnauthorized: false } });
      for (const [method, path] of [
        ['PUT', '/routes'],
        ['GET', '/demand'],
        ['GET', '/'],
      ] as const) {
        const response = await request(router.adminUrl + path, {
          method,
          dispatcher,
          ...(method === 'PUT' && { body: JSON.stringify(table([])) }),
        });
        expect(response.statusCode).toBe(401);
        await response.body.dump();
      }
      await dispatcher.destroy();
    }
    await expect(request(router.adminUrl.replace('https', 'http')).then((r) => r.statusCode)).resolves.toBe(
      400,
    );
    expect((await router.demand()).version).toBe(0);
  });

  test('a session of TLS gives nobody what took a certificate, which may have expired since', async () => {
    const authority = await createAuthority({ now: new Date() });
    const router = await start({ authority });
    const operator = await issueClientCertificate(authority, { now: new Date() });
    const ask = async (identity: ConnectionOptions) => {
      const socket = connect({ host: router.address, port: 8081, rejectUnauthorized: false, ...identity });
      const sessions: Buffer[] = [];
      socket.on('session', (session) => sessions.push(session));
      socket.write('GET /demand HTTP/1.1\r\nHost: router\r\nConnection: close\r\n\r\n');
      let answer = '';
      for await (const data of socket) answer += data;
      return { answer, session: sessions.at(-1) };
    };
    const first = await ask({ cert: operator.certificatePem, key: operator.privateKeyPem });
    expect(first.answer).toContain('HTTP/1.1 200 ');
    expect((await ask(first.session ? { session: first.session } : {})).answer).toContain('HTTP/1.1 401 ');
  });

  test('is ready once it has routes', async () => {
    const router = await start();
    expect((await request(`${router.metricsUrl}/readyz`)).statusCode).toBe(503);
    expect((await request(`${router.metricsUrl}/healthz`)).statusCode).toBe(200);
    await router.put(table([]));
    expect((await request(`${router.metricsUrl}/readyz`)).statusCode).toBe(200);
  });

  test('an older table is refused, the same one is fine, nonsense changes nothing', async () => {
    const [older, current] = [table([model('old', [])]), table([model('new', [])])];
    const router = await start();
    expect(await router.put(current)).toEqual({ status: 200, body: { version: current.version } });
    expect(await router.put(current)).toEqual({ status: 200, body: { version: current.version } });
    expect(await router.put(older)).toMatchObject({ status: 409, body: { version: current.version } });
    const wrong = { ...table([]), models: [{ uid: 'x' }] };
    for (const body of [
      '',
      '{',
      '[]',
      '{"version":"1","models":[]}',
      JSON.stringify(wrong),
      '{"version":1e300,"models":3}',
    ]) {
      expect((await router.put(body)).status, body).toBe(400);
    }
    expect((await router.demand()).version).toBe(current.version);
    expect(await (await fetch(`${router.url}/v1/models`)).text()).toContain('"new"');
  });

  test('a table of 5,000 models is applied', async () => {
    const router = await start();
    const models = Array.from({ length: 5000 }, (_, i) =>
      model(`m-${i}`, [`127.9.${i >> 8}.${i & 255}:8000`]),
    );
    expect((await router.put(table(models))).status).toBe(200);
    const list = (await (await fetch(`${router.url}/v1/models`)).json()) as { data: unknown[] };
    expect(list.data.length).toBe(5000);
  });

  test('a table with a wrong field is refused with the name of the field', async () => {
    const router = await start();
    const [whole, good] = [table([]), model('m', ['10.0.0.1:8000'])];
    const { servedNames: _, ...nameless } = good;
    const [engine] = good.endpoints;
    const wrong: [object, string][] = [
      [{ ...whole, auth: 'Sometimes' }, 'auth'],
      [{ ...whole, version: 2 ** 60 }, 'version'],
      [{ ...whole, models: [good, nameless] }, 'models[1].servedNames'],
      [{ ...whole, models: [{ ...good, cache: { ...good.cache, enabled: 1 } }] }, 'models[0].cache.enabled'],
      [
        { ...whole, models: [{ ...good, endpoints: [{ ...engine, port: 0 }] }] },
        'models[0].endpoints[0].port',
      ],
      [{ ...whole, limits: { lockMs: '6s' } }, 'limits.lockMs'],
    ];
    for (const [body, field] of wrong) {
      const answer = await router.put(JSON.stringify(body));
      expect(answer.status, field).toBe(400);
      expect(JSON.stringify(answer.body)).toContain(`not applied: ${field} is missing, or no `);
    }
    // What a newer operator says besides is no fault.
    expect((await router.put({ ...whole, more: [1] } as typeof whole)).status).toBe(200);
  });

  test('routes outlive a crash of a worker, which loses no count', async () => {
    const upstream = await engine();
    const router = await start({ workers: 2, table: table([model('m', [upstream.address])]) });
    const streams = await Promise.all(
      Array.from({ length: 20 }, async () => await openStream(router.url, { model: 'm' })),
    );
    expect((await router.demand()).models['uid-m']?.inFlight).toBe(20);
    const workers = await workersOf(router);
    for (const worker of workers) process.kill(worker, 'SIGKILL');
    await Promise.all(streams.map(async (stream) => await stream.ended));
    await expect
      .poll(
        async () => {
          const now = await workersOf(router);
          return now.length === 2 && now.every((pid) => !workers.includes(pid));
        },
        { message: 'there are new workers' },
      )
      .toBeTruthy();
    await expect
      .poll(
        async () =>
          await fetch(`${router.url}/v1/completions`, { method: 'POST', body: '{"model":"m"}' }).then(
            (r) => r.status,
            () => 0,
          ),
        { message: 'they answer' },
      )
      .toBe(200);
    // Each new worker clears what the one that it replaces had, when it starts.
    await expect
      .poll(
        async () => {
          const { inFlight, held, queued } = (await router.demand()).models['uid-m'] ?? {};
          return inFlight === 0 && held === 0 && queued === 0;
        },
        { message: 'what the dead had is forgotten' },
      )
      .toBeTruthy();
  });

  test('a reload cuts no stream, keeps the routes and the counts', async () => {
    const upstream = await engine();
    const router = await start({ table: table([model('m', [upstream.address])]) });
    const stream = await openStream(router.url, { model: 'm' });
    const workers = await workersOf(router);
    process.kill(router.pid, 'SIGHUP');
    await expect
      .poll(async () => (await workersOf(router)).some((pid) => !workers.includes(pid)), {
        message: 'there are new workers',
      })
      .toBeTruthy();
    const second = await openStream(router.url, { model: 'm' });
    expect((await router.demand()).models['uid-m']?.inFlight).toBe(2);
    upstream.push('after');
    upstream.finish();
    expect(await stream.ended).toBe('complete');
    expect(stream.text()).toContain('data: after\n\ndata: [DONE]');
    expect(await second.ended).toBe('complete');
    await expect
      .poll(async () => (await router.demand()).models['uid-m']?.inFlight, {
        message: 'nothing is in flight',
      })
      .toBe(0);
  });

  test('routes and key outlive a restart of the container, and are for the owner only', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'router-kept-'));
    try {
      const upstream = await engine();
      const routes = table([model('m', [upstream.address])]);
      const first = await startRouter({ directory, table: routes });
      const key = await readFile(join(directory, 'prefix/admin.key'), 'utf8');
      await first.close();
      const second = await start({ directory });
      expect((await second.demand()).version).toBe(routes.version);
      expect(await readFile(join(directory, 'prefix/admin.key'), 'utf8')).toBe(key);
      expect(
        (await fetch(`${second.url}/v1/completions`, { method: 'POST', body: '{"model":"m"}' })).status,
      ).toBe(200);
      expect(
        execFileSync('stat', ['-c', '%a', join(directory, 'prefix/routes.json')])
          .toString()
          .trim(),
      ).toBe('600');
      await second.close();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  test('the access log has one line of JSON a request, without its text', async () => {
    const upstream = await engine();
    const router = await start({ table: table([model('m', [upstream.address])]) });
    await fetch(`${router.url}/v1/completions?secret=1`, {
      method: 'POST',
      body: '{"model":"m","prompt":"my-words"}',
    });
    await expect
      .poll(async () => (await router.accessLog()).includes('\n'), { message: 'it is written' })
      .toBeTruthy();
    const text = await router.accessLog();
    expect(JSON.parse(text)).toMatchObject({
      path: '/v1/completions',
      status: 200,
      model: 'team-a/m',
    });
    expect(text).not.toMatch(/my-words|secret/);
  });

  test('metrics are well-formed', async () => {
    const upstream = await engine();
    const router = await start({ table: table([model('m', [upstream.address])]) });
    await fetch(`${router.url}/v1/completions`, { method: 'POST', body: '{"model":"m"}' });
    await expect
      .poll(
        async () =>
          (await router.metrics()).includes('request_seconds_count{model="m",namespace="team-a"} 1\n'),
        { message: 'all workers have handed over' },
      )
      .toBeTruthy();
    const text = await router.metrics();
    expect(text).toContain(
      'vllm_router_requests_total{model="m",namespace="team-a",tenant="team-a",code="200"} 1\n',
    );
    for (const line of text.trimEnd().split('\n')) {
      expect(line).toMatch(
        /^(# (HELP|TYPE) vllm_router_\w+ .+|vllm_router_\w+(\{(\w+="[^"\n]*",?)+\})? [0-9.]+)$/,
      );
    }
    expect(text).toMatch(/_bucket\{model="m",namespace="team-a",le="\+Inf"\} 1\n/);
  });
});

async function workersOf(router: Router): Promise<number[]> {
  const master = (await readFile(join(router.directory, 'prefix/nginx.pid'), 'utf8')).trim();
  const children = await readFile(`/proc/${master}/task/${master}/children`, 'utf8');
  return children.trim().split(/\s+/).filter(Boolean).map(Number);
}
