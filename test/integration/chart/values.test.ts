/** The values of the chart: what the schema refuses, and that it knows all of them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { CHART, refusal } from './support/chart.ts';

interface Schema {
  $ref?: string;
  properties?: Record<string, Schema>;
}

const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as Schema & {
  definitions: Record<string, Schema>;
};

/** Paths of all values that have no values below them in the schema. */
function paths(of: Schema, prefix = ''): string[] {
  return Object.entries(of.properties ?? {}).flatMap(([name, property]) =>
    property.properties ? paths(property, `${prefix}${name}.`) : [`${prefix}${name}`],
  );
}

function has(values: unknown, path: string): boolean {
  const found = path
    .split('.')
    .reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], values);
  return found !== undefined;
}

describe('values.schema.json', () => {
  const values: unknown = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8'));

  it('has no value that values.yaml lacks', () => {
    expect(paths(schema).filter((path) => !has(values, path))).toEqual([]);
  });

  it('has no value that no template reads', () => {
    const templates = readdirSync(join(CHART, 'templates'))
      .map((name) => readFileSync(join(CHART, 'templates', name), 'utf8'))
      .join('');
    const rules = readFileSync(join(CHART, 'files/monitoring/rules.yaml'), 'utf8');
    const names = paths(schema).map((path) => path.split('.').at(-1) ?? '');
    expect(
      names.filter((name) => !new RegExp(`\\.${name}\\b`).test(templates) && !rules.includes(`__${name}__`)),
    ).toEqual([]);
  });

  it.each<[what: string, values: Record<string, unknown>, field: string, reason: string]>([
    ['an unknown value', { replica: 3 }, "at ''", "'replica' not allowed"],
    ['an unknown value of a group', { image: { name: 'x' } }, "'/image'", "'name' not allowed"],
    ['a digest without algorithm', { image: { digest: 'abc' } }, "'/image/digest'", 'does not match'],
    [
      'a registry with a scheme',
      { global: { imageRegistry: 'https://x' } },
      "'/global/imageRegistry'",
      'match',
    ],
    ['pull secrets as text', { imagePullSecrets: ['x'] }, "'/imagePullSecrets/0'", 'want object'],
    ['replicas as text', { replicas: 'two' }, "'/replicas'", 'want integer'],
    ['a wrong level', { logLevel: 'trace' }, "'/logLevel'", "'debug', 'info', 'warn', 'error'"],
    ['less time than stopping takes', { terminationGracePeriodSeconds: 10 }, '/terminationGracePeriod', '31'],
    ['numbers as labels', { podLabels: { a: 1 } }, "'/podLabels/a'", 'want string'],
    ['a policy that limits nothing', { policies: [{ name: 'x' }] }, "'/policies/0'", 'sources'],
    ['a source without a scheme', { policies: [{ name: 'x', sources: ['a/'] }] }, '/sources/0', 'match'],
    ['a policy without a name', { policies: [{ sources: ['hf://'] }] }, "'/policies/0'", "'name'"],
    ['CEL in a policy', { policies: [{ name: 'x', sources: ["hf://'+'"] }] }, '/sources/0', 'match'],
  ])('refuses %s', async (_what, wrong, field, reason) => {
    const message = await refusal(wrong);
    expect(message).toContain(field);
    expect(message).toContain(reason);
  });
});
