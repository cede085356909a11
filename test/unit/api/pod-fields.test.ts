/** Every field that a pod template of a Deployment has is taken somewhere, or refused with what to do instead. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { API_VERSION } from '../../../operator/api/common.ts';
import { POD_FIELDS, type PodFieldAnswer } from '../../../operator/api/pod-fields.ts';
import type { StructuralSchema } from '../../../operator/api/structural-schema.ts';
import { validateManifest } from '../../../operator/api/validate.ts';
import { VALID_SPECS } from './support/bad-specs.ts';
import { specSchema } from './support/schemas.ts';

const { schemas } = JSON.parse(
  gunzipSync(
    readFileSync(new URL('../../../hack/devcluster/apiserver/data/openapi.json.gz', import.meta.url)),
  ).toString(),
) as { schemas: Record<string, { properties: Record<string, unknown> }> };

const KINDS = Object.entries(POD_FIELDS) as [
  keyof typeof POD_FIELDS,
  Readonly<Record<string, PodFieldAnswer>>,
][];
const ANSWERS = KINDS.flatMap(([kind, fields]) =>
  Object.entries(fields).map(([field, answer]) => [kind, field, answer] as const),
);

function at(path: string): StructuralSchema | undefined {
  return path
    .replace(/^spec\./, '')
    .split('.')
    .reduce<StructuralSchema | undefined>(
      (schema, name) => schema?.properties?.[name],
      specSchema('InferenceModel'),
    );
}

describe.each(KINDS)('the fields of a %s', (kind, fields) => {
  it('are all answered, and no others', () => {
    const known = schemas[`io.k8s.api.core.v1.${kind}`]?.properties ?? {};
    expect(Object.keys(fields).sort()).toEqual(Object.keys(known).sort());
  });
});

describe.each(ANSWERS)('%s.%s', (kind, field, answer) => {
  it('is a field of the model, or refused with a reason and a remedy', () => {
    if ('use' in answer) {
      expect(at(answer.use)).toBeDefined();
      return;
    }
    expect(answer.refused).toMatch(/^\w/);
    expect(answer.instead).toMatch(/^[a-z]/);
    const path = kind === 'PodSecurityContext' ? `securityContext.${field}` : field;
    expect(at(`spec.template.${path}`)).toBeUndefined();
    const template = kind === 'PodSecurityContext' ? { securityContext: { [field]: 1 } } : { [field]: 1 };
    const [issue, ...others] = validateManifest({
      apiVersion: API_VERSION,
      kind: 'InferenceModel',
      metadata: { name: 'a' },
      spec: { ...VALID_SPECS.InferenceModel, template },
    });
    expect(others).toEqual([]);
    expect(issue).toEqual({
      field: `spec.template.${path}`,
      value: 1,
      reason: answer.refused,
      remedy: answer.instead,
    });
  });
});
