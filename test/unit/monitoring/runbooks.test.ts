import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ruleGroups } from '../../../hack/monitoring/rules.ts';
import { THRESHOLDS } from '../../../hack/monitoring/thresholds.ts';

const DIRECTORY = join(import.meta.dirname, '../../../docs/runbooks');
const ALERTS = ruleGroups().flatMap(({ rules }) =>
  rules.flatMap((rule) => ('alert' in rule ? [rule.alert] : [])),
);
const read = (alert: string) => readFileSync(join(DIRECTORY, `${alert}.md`), 'utf8');

it('there is a runbook for each alert, and no other', () => {
  expect(readdirSync(DIRECTORY).sort()).toEqual(ALERTS.map((alert) => `${alert}.md`).sort());
});

it.each(ALERTS)('the runbook of %s has all that it needs', (alert) => {
  const [title, ...sections] = read(alert).split(/^## /m);
  expect(title?.trim()).toBe(`# ${alert}`);
  expect(sections.map((section) => section.split('\n')[0])).toEqual([
    'Meaning',
    'Impact',
    'Diagnosis',
    'Remedy',
  ]);
  expect(sections[2]).toMatch(/^```sh\nkubectl /m);
  for (const section of sections) expect(section.split('\n').slice(1).join('').length).toBeGreaterThan(40);
});

it('runbooks name each threshold, with its default', () => {
  const pages = ALERTS.map(read).join('\n').replaceAll('\n', ' ');
  const shown = [...pages.matchAll(/`thresholds\.(\w+)` \(([\d.]+)( %)?/g)].map(
    ([, name = '', value, percent]): [string, number] => [
      name,
      percent ? Number(value) / 100 : Number(value),
    ],
  );
  const found = Object.fromEntries(shown.map(([name, value]) => [name, Math.round(value * 1e6) / 1e6]));
  expect(found).toEqual({ ...THRESHOLDS });
});
