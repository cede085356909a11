/** What a router takes in: one form of each path, forms and bodies as vLLM reads them, and bounds on all of it. */
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { model, rules, table } from '../../support/route-table.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { perTest } from './support/per-test.ts';
import { BODY, post, raw, status } from './support/raw-request.ts';
import { type Router, startRouter } from './support/router.ts';

/** One engine and one router for all tests of a suite. */
function shared(): { upstream: () => Engine; router: () => Router } {
  let upstream: Engine;
  let router: Router;
  beforeAll(async () => {
    upstream = await startEngine();
    const names = ['m', 'other'].map((name) => model(name, [upstream.address]));
    router = await startRouter({ table: table([...names, model('asleep', [])]) });
  });
  beforeEach(() => {
    upstream.requests.length = 0;
  });
  afterAll(async () => {
    await router.close();
    await upstream.close();
  });
  return { upstream: () => upstream, router: () => router };
}

describe('paths', () => {
  const { upstream, router } = shared();

  test.each([
    ['//v1/chat/completions', '/v1/chat/completions'],
    ['/v1//chat///completions', '/v1/chat/completions'],
    ['/v1/chat/completions/', '/v1/chat/completions'],
    ['//v1/chat/completions//?a=b//c', '/v1/chat/completions?a=b//c'],
  ])('%s is sent on as %s', async (asked, sent) => {
    expect(status(await raw(router(), post(asked)))).toBe(200);
    expect(upstream().requests.map(({ path }) => path)).toEqual([sent]);
  });

  test.each([
    '/metrics/../v1/chat/completions',
    '/v1/./chat/completions',
    '/v1/chat/%2e%2e/chat/completions',
    '/v1/%63hat/completions',
    '/v1/chat%2Fcompletions',
    '/x/..//v1/chat/completions/',
  ])('%s is refused, and no engine is asked or woken', async (path) => {
    const answer = await raw(router(), post(path, BODY.replace('"m"', '"asleep"')));
    expect(status(answer)).toBe(400);
    expect(answer).toContain('Name the path as the API does');
    expect(status(await raw(router(), post(path)))).toBe(400);
    expect(upstream().requests).toEqual([]);
    expect((await router().demand()).models['uid-asleep']).toBeUndefined();
  });

  test.each(['/v1/models/', '//v1/models', '/v1//models/'])('%s lists the models', async (path) => {
    const answer = await raw(router(), `GET ${path} HTTP/1.1\r\nHost: router\r\nConnection: close\r\n\r\n`);
    expect(status(answer)).toBe(200);
    expect(answer).toContain('"object":"list"');
  });

  test('a query that is too long to find all names in is refused', async () => {
    const query = Array.from({ length: 120 }, (_, i) => `a${i}=1`).join('&');
    const answer = await fetch(`${router().url}/tokenizer_info?model=m&${query}&model=other`);
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('more than 100 arguments');
    expect(upstream().requests).toEqual([]);
  });

  test('a query that names two models is refused, since an engine could take the other', async () => {
    const get = async (query: string) => await fetch(`${router().url}/tokenizer_info?${query}`);
    expect((await get('model=m&%6dodel=other')).status).toBe(400);
    expect((await get('model=m')).status).toBe(200);
  });
});

describe('forms', () => {
  const { upstream, router } = shared();
  const form = (...parts: string[]) => `${parts.map((part) => `--X\r\n${part}\r\n`).join('')}--X--\r\n`;
  const field = (disposition: string, value: string) => `Content-Disposition: ${disposition}\r\n\r\n${value}`;
  const type = 'Content-Type: multipart/form-data; boundary=X';
  const transcribe = async (body: string, contentType = type) => {
    const answer = await raw(router(), post('/v1/audio/transcriptions', body, [contentType]));
    return {
      answer,
      status: status(answer),
      sent: upstream().requests.map((request) => request.body.toString()),
    };
  };

  test.each([
    ['a name without quotes', form(field('form-data; name=model', 'm'))],
    ['a name in quotes', form(field('form-data; name="model"', 'm'))],
    [
      'a file before it, with a quote in its name',
      form(field('form-data; name=file; filename="a\\".wav"', 'AAAA'), field('form-data; name=model', 'm')),
    ],
    [
      'other headers, in any case',
      form(`content-type: text/plain\r\n${field('Form-Data; NAME="model"', 'm')}`),
    ],
    [
      'of two values the last, as the engine reads them',
      form(field('form-data; name=model', 'missing'), field('form-data; name="model"', 'm')),
    ],
    [
      'a value with what begins like a boundary',
      form(field('form-data; name=prompt', 'a\r\n--Xtra'), field('form-data; name=model', 'm')),
    ],
  ])('%s', async (_what, body) => {
    const { status: code, sent } = await transcribe(body);
    expect(code).toBe(200);
    expect(sent).toEqual([body]);
  });

  test.each([
    [
      'a name in pieces',
      form(field('form-data; name*0="mo"; name*1="del"', 'other'), field('form-data; name=model', 'm')),
      type,
    ],
    [
      'an escaped name',
      form(field('form-data; name="mo\\del"', 'other'), field('form-data; name=model', 'm')),
      type,
    ],
    ['a control character behind a name', form(field('form-data; name="model"\v', 'm')), type],
    ['a control character in a header', form(`X: \x1c\r\n${field('form-data; name="model"', 'm')}`), type],
    [
      'a name that is no ASCII',
      form(field('form-data; name="model\u00a0"', 'other'), field('form-data; name=model', 'm')),
      type,
    ],
    ['two names', form(field('form-data; name=x; name=model', 'm')), type],
    [
      'two headers of the kind',
      form(`Content-Disposition: form-data; name=x\r\n${field('form-data; name=model', 'm')}`),
      type,
    ],
    ['a folded header', form('Content-Disposition: form-data;\r\n name=model\r\n\r\nm'), type],
    ['a model that is a file', form(field('form-data; name=model; filename=m', 'm')), type],
    ['another charset', form(field('form-data; name=model', 'm')), `${type}; charset=utf-7`],
    ['two boundaries', form(field('form-data; name=model', 'm')), `${type}; boundary=Y`],
    ['no end', form(field('form-data; name=model', 'm')).slice(0, -6), type],
    ['text before the first boundary', `x\r\n${form(field('form-data; name=model', 'm'))}`, type],
    ...[' ', '\t', '   '].map((padding): [string, string, string] => [
      `"${padding}" behind a boundary, which not every engine takes for a part of a value,`,
      form(
        field('form-data; name=model', 'm'),
        field('form-data; name=x', `a\r\n--X${padding}\r\n${field('form-data; name="model"', 'other')}`),
      ),
      type,
    ]),
    ['too many parts', form(...Array.from({ length: 300 }, () => field('form-data; name=x', '1'))), type],
  ])('with %s is refused', async (_what, body, contentType) => {
    const { answer, status: code, sent } = await transcribe(body, contentType);
    expect(code).toBe(400);
    expect(answer).toContain('The form cannot be read');
    expect(sent).toEqual([]);
  });
});

describe('bodies', () => {
  const { engine, start } = perTest();
  const { upstream, router } = shared();

  test('a byte order mark is passed over, as Python does', async () => {
    expect(status(await raw(router(), post('/v1/chat/completions', `\ufeff${BODY}`)))).toBe(200);
    expect(upstream().requests.map(({ body }) => body.toString())).toEqual([BODY]);
  });

  test.each(['utf16le', 'utf-16 with a mark'])('%s is refused in words', async (encoding) => {
    const text = Buffer.from(encoding === 'utf16le' ? BODY : `\ufeff${BODY}`, 'utf16le');
    const answer = await raw(router(), post('/v1/chat/completions', text));
    expect(status(answer)).toBe(400);
    expect(answer).toContain('send it in UTF-8');
  });

  test.each(['1', '1.0', '0.1e1'])('"stream": %s asks for a stream, as it does in vLLM', async (value) => {
    const body = BODY.replace('{', `{"stream":${value},`);
    await raw(router(), post('/v1/chat/completions', body));
    expect(upstream().requests[0]?.body.toString()).toContain('"include_usage":true');
  });

  const many = Array.from({ length: 100 }, (_, i) => `X-Header-${i}: ${i}`);

  test.each([
    ['alone', ['Content-Encoding: gzip']],
    ['behind a header that says it is not', ['Content-Encoding: identity', 'Content-Encoding: GZIP']],
    ['behind many headers', [...many, 'Content-Encoding: gzip']],
  ])('a compressed one is refused with 415 that names the header: %s', async (_where, headers) => {
    const answer = await raw(router(), post('/v1/chat/completions', gzipSync(BODY), headers));
    expect(status(answer)).toBe(415);
    expect(answer).toContain('Content-Encoding');
  });

  test('one that is as it is may say so, and be named behind many headers', async () => {
    const headers = [...many, 'Content-Encoding: Identity', 'Content-Encoding:', 'X-Request-Id: behind-them'];
    const answer = await raw(router(), post('/v1/chat/completions', BODY, headers));
    expect(status(answer)).toBe(200);
    expect(answer).toContain('X-Request-Id: behind-them');
    expect(upstream().requests[0]?.headers['x-request-id']).toBe('behind-them');
  });

  test.each([
    ['with its length', 'Content-Length: 200000'],
    ['in pieces', 'Transfer-Encoding: chunked'],
  ])('one that is too large, %s, is told the limit', async (_what, header) => {
    const router = await start({ table: table([model('m', [])]), maxBodySize: 100_000 });
    const chunk = header.startsWith('Transfer')
      ? `30d40\r\n${'x'.repeat(200_000)}\r\n0\r\n\r\n`
      : 'x'.repeat(200_000);
    const answer = await raw(
      router,
      `POST /v1/chat/completions HTTP/1.1\r\nHost: router\r\nConnection: close\r\n${header}\r\n\r\n${chunk}`,
      (text) => text.includes('}}'),
    );
    expect(status(answer)).toBe(413);
    expect(answer).toContain('larger than the 100000 bytes that this router accepts');
  });

  test('all together are bounded, and make room for others when they go', async () => {
    const upstream = await engine();
    const router = await start({
      table: table([model('m', [upstream.address])]),
      maxBodySize: 100_000,
      maxBodiesSize: 150_000,
      workers: 1,
    });
    const slow = connect(8080, router.address);
    slow.on('error', () => undefined);
    slow.write('POST /v1/chat/completions HTTP/1.1\r\nHost: router\r\nContent-Length: 90000\r\n\r\n{');
    const large = post('/v1/chat/completions', BODY.replace('hi', 'x'.repeat(80_000)));
    await expect.poll(async () => status(await raw(router, large)), { message: 'no room is left' }).toBe(503);
    const refused = await raw(router, large);
    expect(refused).toMatch(/^Retry-After: 1\r$/m);
    expect(refused).toContain('holds as many large requests as it can');
    expect(status(await raw(router, post('/v1/chat/completions')))).toBe(200);
    slow.destroy();
    await expect
      .poll(async () => status(await raw(router, large)), { message: 'there is room again' })
      .toBe(200);
  });

  test.each([5000, 500])('one of %i bytes that comes too slowly ends with 408', async (length) => {
    const router = await start({
      table: table([model('m', [])]),
      limits: { bodyGraceMs: 200, unwatchedBodies: 1 },
      workers: 1,
    });
    const slow = `POST /v1/chat/completions HTTP/1.1\r\nHost: router\r\nContent-Length: ${length}\r\n\r\n{`;
    const both = [raw(router, slow), raw(router, slow)];
    const answer = await Promise.race(both);
    void Promise.allSettled(both);
    expect(status(answer), router.errors()).toBe(408);
    expect(answer).toContain('did not arrive in time');
    expect((await router.demand()).models['uid-m']).toBeUndefined();
  });

  const members = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`k${i}`, 1]));
  test.each([
    ['/v1/chat/completions', members],
    ['/inference/v1/generate', { sampling_params: { ...members, max_tokens: 9 } }],
  ])('more members than any request has are refused: %s', async (path, body) => {
    const answer = await raw(router(), post(path, JSON.stringify({ ...body, model: 'm' })));
    expect(status(answer)).toBe(400);
    expect(answer).toContain('more than 512 members');
  });

  test('a name of a model that is far too long is not echoed', async () => {
    const answer = await raw(
      router(),
      post('/v1/chat/completions', JSON.stringify({ model: 'x'.repeat(100_000) })),
    );
    expect(status(answer)).toBe(400);
    expect(answer.length).toBeLessThan(2_000);
  });

  test.each([['"1000"'], ['1e3'], ['"1_000"'], ['1000.0'], ['[1000]']])(
    'a limit of tokens written as %s is capped too while many wait',
    async (asked) => {
      const upstream = await engine();
      const admission = rules({ degradation: [{ queueAbove: 0, maxTokens: 7 }] });
      const routes = table([model('m', [], { admission })]);
      const router = await start({ table: routes, workers: 1 });
      const first = raw(router, post('/v1/chat/completions'));
      await expect
        .poll(async () => (await router.demand()).models['uid-m']?.held, { message: 'one waits' })
        .toBe(1);
      const body = BODY.replace('{', `{"max_completion_tokens":${asked},`);
      const second = raw(router, post('/v1/chat/completions', body));
      await expect
        .poll(async () => (await router.demand()).models['uid-m']?.held, { message: 'two wait' })
        .toBe(2);
      await router.put(
        table([
          model('m', [upstream.address], {
            admission,
          }),
        ]),
      );
      await Promise.all([first, second]);
      const sent = upstream.requests.map(
        (request) => JSON.parse(request.body.toString()) as Record<string, unknown>,
      );
      expect(sent.map((each) => each.max_completion_tokens)).toContain(7);
    },
  );
});
