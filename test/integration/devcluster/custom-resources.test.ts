import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type ApiServer, startApiServer } from '../../../hack/devcluster/apiserver/start-api-server.ts';
import { PATIENCE } from '../../support/patience.ts';
import { type Answer, Api, type Obj } from './support/api.ts';

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const GROUP = 'test.example.com';

let server: ApiServer;
let api: Api;

beforeAll(async () => {
  server = await startApiServer();
  api = new Api(server.url);
});

afterAll(() => server.close());

function definition(plural: string, versions: unknown[]): unknown {
  const kind = `${plural.slice(0, 1).toUpperCase()}${plural.slice(1, -1)}`;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: { group: GROUP, scope: 'Cluster', names: { plural, kind }, versions },
  };
}

function version(spec: unknown, rest: Record<string, unknown> = {}): unknown {
  return {
    name: 'v1',
    served: true,
    storage: true,
    schema: { openAPIV3Schema: { type: 'object', properties: { spec } } },
    ...rest,
  };
}

/** Installs a definition of one version and returns how to create objects of it. */
async function install(
  plural: string,
  spec: unknown,
  rest: Record<string, unknown> = {},
): Promise<(name: string, spec: unknown) => Promise<Answer>> {
  const made = await api.create(DEFINITIONS, definition(plural, [version(spec, rest)]));
  await vi.waitFor(
    async () => expect((await api.send('GET', `/apis/${GROUP}/v1/${plural}`)).status).toBe(200),
    PATIENCE,
  );
  const { kind } = made.spec.names as { kind: string };
  return (name, values) =>
    api.send('POST', `/apis/${GROUP}/v1/${plural}`, {
      apiVersion: `${GROUP}/v1`,
      kind,
      metadata: { name },
      spec: values,
    });
}

function causes(answer: Answer): string[] {
  const { details } = answer.body as Obj & { details?: { causes?: { field: string; message: string }[] } };
  return (details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
}

const string = { type: 'string' };
const rule = (text: string, message = 'no'): unknown => ({ rule: text, message });

describe('CEL rules', () => {
  test('functions of Kubernetes', async () => {
    const properties = {
      memory: string,
      url: string,
      tags: { type: 'array', items: string },
      ports: { type: 'array', items: { type: 'integer' } },
      at: { type: 'string', format: 'date-time' },
    };
    const rules = [
      rule("!has(self.memory) || quantity(self.memory).isGreaterThan(quantity('1Gi'))", 'memory'),
      rule("!has(self.url) || url(self.url).getScheme() == 'https'", 'url'),
      rule('!has(self.tags) || self.tags.isSorted()', 'tags'),
      rule('!has(self.ports) || (self.ports.sum() < 100 && self.ports.max() <= 80)', 'ports'),
      rule("!has(self.at) || self.at < timestamp('2030-01-01T00:00:00Z')", 'at'),
    ];
    const create = await install('libraries', {
      type: 'object',
      properties,
      'x-kubernetes-validations': rules,
    });
    expect(
      (
        await create('good', {
          memory: '2Gi',
          url: 'https://a.b/c',
          tags: ['a', 'b'],
          ports: [10, 80],
          at: '2026-01-01T00:00:00Z',
        })
      ).status,
    ).toBe(201);
    const bad = await create('bad', {
      memory: '1000Mi',
      url: 'http://a.b',
      tags: ['b', 'a'],
      ports: [90, 20],
      at: '2031-01-01T00:00:00Z',
    });
    expect(causes(bad)).toEqual(
      ['memory', 'url', 'tags', 'ports', 'at'].map((name) => `spec: Invalid value: ${name}`),
    );
  });

  test('transition rules see the old item of a list by its key, and nothing on create', async () => {
    const item = {
      type: 'object',
      required: ['name'],
      properties: { name: string, size: string },
      'x-kubernetes-validations': [rule('self.size == oldSelf.size', 'size is fixed')],
    };
    const items = {
      type: 'array',
      items: item,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      maxItems: 9,
    };
    const create = await install('transitions', { type: 'object', properties: { items } });
    const path = `/apis/${GROUP}/v1/transitions/a`;
    expect((await create('a', { items: [{ name: 'x', size: '1' }] })).status).toBe(201);
    const change = (values: unknown): Promise<Answer> =>
      api.send('PATCH', path, { spec: { items: values } }, 'application/merge-patch+json');
    expect(
      (
        await change([
          { name: 'y', size: '7' },
          { name: 'x', size: '1' },
        ])
      ).status,
    ).toBe(200);
    expect(
      causes(
        await change([
          { name: 'y', size: '8' },
          { name: 'x', size: '1' },
        ]),
      ),
    ).toEqual(['spec.items[0]: Invalid value: size is fixed']);
  });

  test('optionalOldSelf runs on create too', async () => {
    const rules = [
      { rule: "oldSelf.hasValue() || self.phase == 'new'", message: 'starts as new', optionalOldSelf: true },
    ];
    const create = await install('optionals', {
      type: 'object',
      properties: { phase: string },
      'x-kubernetes-validations': rules,
    });
    expect(causes(await create('a', { phase: 'old' }))).toEqual(['spec: Invalid value: starts as new']);
    expect((await create('b', { phase: 'new' })).status).toBe(201);
    const later = await api.send(
      'PATCH',
      `/apis/${GROUP}/v1/optionals/b`,
      { spec: { phase: 'old' } },
      'application/merge-patch+json',
    );
    expect(later.status).toBe(200);
  });

  test('a rule that does not compile is refused with the definition', async () => {
    const spec = {
      type: 'object',
      properties: { a: { type: 'integer' } },
      'x-kubernetes-validations': [rule("self.a == 'text'"), rule('self.')],
    };
    const answer = await api.send('POST', DEFINITIONS, definition('wrongs', [version(spec)]));
    expect(answer.status).toBe(422);
    expect(causes(answer).map((cause) => cause.split(':')[0])).toEqual(
      [0, 1].map(
        (index) => `spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[${index}].rule`,
      ),
    );
  });
});

describe('schemas', () => {
  test('what was wrong before does not stop other changes', async () => {
    const plain = { type: 'object', properties: { a: string, b: string } };
    const create = await install('ratchets', plain);
    await create('r', { a: 'LOUD', b: 'x' });
    const strict = {
      type: 'object',
      properties: {
        a: { ...string, pattern: '^[a-z]+$' },
        b: { ...string, 'x-kubernetes-validations': [rule("self != 'bad'")] },
      },
    };
    const { spec } = definition('ratchets', [version(strict)]) as Obj;
    await api.merge(`${DEFINITIONS}/ratchets.${GROUP}`, { spec });
    const change = (values: unknown): Promise<Answer> =>
      api.send('PATCH', `/apis/${GROUP}/v1/ratchets/r`, { spec: values }, 'application/merge-patch+json');
    expect((await change({ b: 'y' })).status).toBe(200);
    expect((await change({ a: 'LOUDER' })).status).toBe(422);
    expect((await change({ b: 'bad' })).status).toBe(422);
  });

  test('a new default shows on stored objects', async () => {
    const create = await install('defaults', { type: 'object', properties: { a: string } });
    await create('d', {});
    const { spec } = definition('defaults', [
      version({ type: 'object', properties: { a: { ...string, default: 'filled' } } }),
    ]) as Obj;
    await api.merge(`${DEFINITIONS}/defaults.${GROUP}`, { spec });
    expect((await api.get(`/apis/${GROUP}/v1/defaults/d`)).spec).toEqual({ a: 'filled' });
  });

  test('all served versions show the same objects', async () => {
    const schema = {
      openAPIV3Schema: {
        type: 'object',
        properties: { spec: { type: 'object', properties: { a: string } } },
      },
    };
    const versions = [
      { name: 'v1beta1', served: true, storage: false, schema },
      { name: 'v1', served: true, storage: true, schema },
    ];
    await api.create(DEFINITIONS, definition('doubles', versions));
    await vi.waitFor(
      async () => expect((await api.send('GET', `/apis/${GROUP}/v1beta1/doubles`)).status).toBe(200),
      PATIENCE,
    );
    await api.create(`/apis/${GROUP}/v1beta1/doubles`, {
      apiVersion: `${GROUP}/v1beta1`,
      kind: 'Double',
      metadata: { name: 'x' },
      spec: { a: '1' },
    });
    expect(await api.get(`/apis/${GROUP}/v1/doubles/x`)).toMatchObject({
      apiVersion: `${GROUP}/v1`,
      spec: { a: '1' },
    });
    expect((await api.get(`/apis/${GROUP}`)) as unknown).toMatchObject({
      preferredVersion: { version: 'v1' },
    });
  });

  test('fields that are declared selectable can be selected', async () => {
    const create = await install(
      'selectables',
      { type: 'object', properties: { color: string } },
      { selectableFields: [{ jsonPath: '.spec.color' }] },
    );
    await create('a', { color: 'red' });
    await create('b', { color: 'blue' });
    const found = await api.get(`/apis/${GROUP}/v1/selectables?fieldSelector=spec.color=red`);
    expect(found.items.map((item) => item.metadata.name)).toEqual(['a']);
    expect((await api.send('GET', `/apis/${GROUP}/v1/selectables?fieldSelector=spec.size=1`)).status).toBe(
      400,
    );
  });
});

test('what cannot be read is answered as a fault of the client', async () => {
  await install('unreadables', { type: 'object' });
  const base = `/apis/${GROUP}/v1/unreadables`;
  const object = (metadata: Record<string, unknown>): unknown => ({
    apiVersion: `${GROUP}/v1`,
    kind: 'Unreadable',
    metadata: { name: 'a', ...metadata },
  });
  expect((await api.send('POST', base, object({ finalizers: [null] }))).status).toBe(422);
  const apply = 'application/apply-patch+yaml';
  const body = object({ deletionTimestamp: 'no time' });
  expect((await api.send('PATCH', `${base}/a?fieldManager=one`, body, apply)).status).toBe(400);
  expect((await api.send('GET', `${base}/%`)).status).toBe(400);
});

test('objects go with their definition, and the path with them', async () => {
  const create = await install('leaving', { type: 'object', properties: { a: string } });
  await create('x', { a: '1' });
  const stop = new AbortController();
  const { lines } = await api.watch(`/apis/${GROUP}/v1/leaving?watch=1`, stop.signal);
  await lines.waitFor(1, 5000);
  await api.ok('DELETE', `${DEFINITIONS}/leaving.${GROUP}`);
  await lines.waitFor(2, 5000);
  expect(lines.events.map((event) => event.type)).toEqual(['ADDED', 'DELETED']);
  await vi.waitFor(
    async () => expect((await api.send('GET', `/apis/${GROUP}/v1/leaving`)).status).toBe(404),
    PATIENCE,
  );
  stop.abort();
});
