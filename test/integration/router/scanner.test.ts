import fc from 'fast-check';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { model, table } from '../../support/route-table.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { type Router, startRouter } from './support/router.ts';

const NAMES = ['m', 'org/ünï-c0de', 'quo"te\\back', 'model'];

/** JSON text with any white space, any escapes, and members that come twice. */
const jsonText: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => {
  const space = fc.constantFrom('', '', ' ', '\n', '\t \r\n');
  const character = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 3 }).map((text) => JSON.stringify(text).slice(1, -1)),
    fc.constantFrom(
      '\\"',
      '\\\\',
      '\\u0022',
      '\\u005c',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '\\ud83d\\ude00',
      '\\/',
    ),
  );
  const string = fc.array(character, { maxLength: 8 }).map((parts) => `"${parts.join('')}"`);
  const named = fc
    .tuple(fc.constantFrom(...NAMES), fc.boolean())
    .map(([name, escaped]) => (escaped ? escapeAll(name) : JSON.stringify(name)));
  const key = fc.oneof(
    string,
    fc.constantFrom('"model"', '"stream"', escapeAll('model'), escapeAll('stream'), '"messages"'),
  );
  const scalar = fc.oneof(
    string,
    named,
    fc.constantFrom('true', 'false', 'null', '0', '-1.5e+3', '1E9'),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => JSON.stringify(n)),
  );
  const list = fc.array(tie('value'), { maxLength: 4 }).map((items) => `[${items.join(',')}]`);
  const object = fc
    .array(fc.tuple(space, key, space, tie('value'), space), { maxLength: 6 })
    .map((members) => `{${members.map(([a, k, b, v, c]) => `${a}${k}${b}:${a}${v}${c}`).join(',')}}`);
  return { value: fc.oneof({ maxDepth: 4, withCrossShrink: true }, scalar, list, object) };
}).value;

const objectText = fc
  .tuple(
    fc.array(fc.tuple(jsonText, fc.boolean()), { maxLength: 5 }),
    fc.constantFrom(...NAMES),
    fc.boolean(),
  )
  .map(([members, name, last]) => {
    const parts = members.map(([text, stream], i) =>
      stream ? `"stream":${i % 2 === 0}` : text.startsWith('"') ? `${text} : 1` : `"k${i}":${text}`,
    );
    parts.splice(last ? parts.length : 0, 0, `"model":${JSON.stringify(name)}`);
    return `{${parts.join(' ,\n')}}`;
  });

function escapeAll(text: string): string {
  return `"${[...text].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`;
}

describe('the scanner reads what a JSON parser reads', () => {
  let router: Router;
  const engines = new Map<string, Engine>();

  beforeAll(async () => {
    for (const name of NAMES) {
      const engine = await startEngine();
      engine.answer = (_, response) => response.end(name);
      engines.set(name, engine);
    }
    router = await startRouter({
      workers: 1,
      table: table(
        [...engines].map(([name, engine], i) => model(`m${i}`, [engine.address], { servedNames: [name] })),
      ),
    });
  });
  afterAll(async () => {
    await router.close();
    await Promise.all([...engines.values()].map(async (engine) => await engine.close()));
  });

  const post = async (body: string | Buffer) => {
    const response = await request(`${router.url}/v1/chat/completions`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
    return { status: response.statusCode, text: await response.body.text() };
  };

  /** Checks one body: the model that a parser finds is the one that is asked. */
  const agrees = async (body: string | Buffer) => {
    const { status, text } = await post(body);
    let parsed: unknown;
    try {
      parsed = JSON.parse(body.toString());
    } catch {
      // The engine is the one that refuses it; the router only must not break.
      expect([200, 400, 404]).toContain(status);
      return;
    }
    const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
    const name =
      isObject && Object.hasOwn(parsed as object, 'model') ? (parsed as { model: unknown }).model : undefined;
    if (typeof name !== 'string') expect(status).toBe(400);
    else if (!engines.has(name)) expect(status).toBe(404);
    else expect({ status, text }).toEqual({ status: 200, text: name });
  };

  test('for any JSON text', async () => {
    await fc.assert(fc.asyncProperty(jsonText, agrees), { numRuns: 600 });
  });

  test('for objects that name a model', async () => {
    await fc.assert(fc.asyncProperty(objectText, agrees), { numRuns: 600 });
  });

  test('and survives bytes that are changed, cut or repeated', async () => {
    const damage = fc.tuple(
      objectText,
      fc.nat(),
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom('set', 'cut', 'double'),
    );
    await fc.assert(
      fc.asyncProperty(damage, async ([text, where, byte, how]) => {
        const body = Buffer.from(text);
        const at = where % body.length;
        const head = body.subarray(0, at);
        if (how === 'cut') await agrees(head);
        else if (how === 'double') await agrees(Buffer.concat([head, body]));
        else await agrees(Buffer.concat([head, Buffer.from([byte]), body.subarray(at + 1)]));
      }),
      { numRuns: 600 },
    );
  });
});
