import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApiServer, startApiServer } from '../../../hack/devcluster/apiserver/start-api-server.ts';
import { Api, type Obj } from './support/api.ts';

const PATH = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions?dryRun=All';

let server: ApiServer;

beforeAll(async () => {
  server = await startApiServer();
});

afterAll(() => server.close());

/** The answer to a definition with parts of its spec and of its version. */
function define(
  version: Record<string, unknown>,
  spec: Record<string, unknown> = {},
): ReturnType<Api['send']> {
  return new Api(server.url).send('POST', PATH, {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'probes.test.example.com' },
    spec: {
      group: 'test.example.com',
      scope: 'Namespaced',
      names: { plural: 'probes', kind: 'Probe' },
      versions: [{ name: 'v1', served: true, storage: true, ...version }],
      ...spec,
    },
  });
}

/** What kube-apiserver says of a definition whose spec has this schema: `<reason> <field>` for each cause. */
async function faults(spec: unknown, more: Record<string, unknown> = {}): Promise<string[]> {
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec } } };
  const answer = await define({ schema, ...more });
  const { details } = answer.body as Obj & { details?: { causes?: { reason: string; field: string }[] } };
  return (details?.causes ?? []).map(({ reason, field }) =>
    `${reason} ${field}`.replace('spec.validation.openAPIV3Schema.properties[spec]', '$'),
  );
}

const object = (properties: unknown, more: Record<string, unknown> = {}): unknown => ({
  type: 'object',
  properties,
  ...more,
});
const rules = (...list: Record<string, unknown>[]): Record<string, unknown> => ({
  'x-kubernetes-validations': list,
});
const text = { type: 'string', maxLength: 9 };

describe('a definition is refused', () => {
  test.each<[string, unknown, string[]]>([
    [
      'when a default lacks what a rule reads, though a nested default would give it',
      object({
        from: object(
          { kind: { ...text, default: 'All' } },
          { default: {}, ...rules({ rule: "self.kind != 'None'" }) },
        ),
      }),
      ['FieldValueInvalid $.properties[from].default'],
    ],
    [
      'when a default lacks a required field, though that has a default',
      object({ a: object({ b: { ...text, default: 'x' } }, { default: {}, required: ['b'] }) }),
      ['FieldValueRequired $.properties[a].default.b'],
    ],
    [
      'when the default of a list breaks a rule of its items',
      object({
        a: {
          type: 'array',
          maxItems: 3,
          default: ['no'],
          items: { ...text, ...rules({ rule: "self != 'no'" }) },
        },
      }),
      ['FieldValueInvalid $.properties[a].default[0]'],
    ],
    [
      'when a rule compares with an old value that can not be told',
      object({
        a: { type: 'array', maxItems: 3, items: { ...text, ...rules({ rule: 'self == oldSelf' }) } },
      }),
      ['FieldValueInvalid $.properties[a].items.x-kubernetes-validations[0].rule'],
    ],
    [
      'when optionalOldSelf is set without need',
      object({ a: { ...text, ...rules({ rule: "self != ''", optionalOldSelf: true }) } }),
      ['FieldValueInvalid $.properties[a].x-kubernetes-validations[0].optionalOldSelf'],
    ],
    [
      'when a messageExpression gives no text',
      object({ a: { ...text, ...rules({ rule: "self != ''", messageExpression: '1 + 1' }) } }),
      ['FieldValueInvalid $.properties[a].x-kubernetes-validations[0].messageExpression'],
    ],
    [
      'when what stands below anyOf is a structure of its own',
      object({ a: { ...text, anyOf: [{ type: 'string' }] } }),
      ['FieldValueForbidden $.properties[a].anyOf[0].type'],
    ],
  ])('%s', async (_, spec, wanted) => {
    expect(await faults(spec)).toEqual(wanted);
  });

  test('when a selectable field is no scalar', async () => {
    const spec = object({ a: { type: 'array', items: text } });
    expect(await faults(spec, { selectableFields: [{ jsonPath: '.spec.a' }] })).toEqual([
      'FieldValueInvalid spec.selectableFields[0].jsonPath',
    ]);
  });
});

test('a conversion webhook is refused in words, since none is called here', async () => {
  const answer = await define(
    { schema: { openAPIV3Schema: { type: 'object' } } },
    {
      conversion: {
        strategy: 'Webhook',
        webhook: { conversionReviewVersions: ['v1'], clientConfig: { url: 'https://example.com' } },
      },
    },
  );
  expect(answer).toMatchObject({ status: 501, body: { reason: 'NotImplemented' } });
});

test('a definition whose default holds by itself is taken', async () => {
  const from = object(
    { kind: { ...text, default: 'All' } },
    { default: { kind: 'All' }, ...rules({ rule: "self.kind != 'None'" }) },
  );
  expect(await faults(object({ from }))).toEqual([]);
});

test.each([
  ['batch/v1', 'jobs', 'Job'],
  ['apps/v1', 'statefulsets', 'StatefulSet'],
  ['v1', 'resourcequotas', 'ResourceQuota'],
  ['v1', 'limitranges', 'LimitRange'],
  ['admissionregistration.k8s.io/v1', 'validatingwebhookconfigurations', 'ValidatingWebhookConfiguration'],
])('of %s, %s are refused in words, since nothing acts on them here', async (apiVersion, plural, kind) => {
  const scope = kind.startsWith('Validating') ? '' : '/namespaces/default';
  const path = `/${apiVersion === 'v1' ? 'api' : 'apis'}/${apiVersion}${scope}/${plural}`;
  const answer = await new Api(server.url).send('POST', path, { apiVersion, kind, metadata: { name: 'a' } });
  expect(answer).toMatchObject({ status: 501, body: { reason: 'NotImplemented' } });
  expect(await new Api(server.url).send('GET', path)).toMatchObject({ status: 200, body: { items: [] } });
});
