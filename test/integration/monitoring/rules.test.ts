/** The rules, by Prometheus' own tool for their unit tests. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse, stringify } from 'yaml';
import type { Alert, RecordingRule } from '../../../hack/monitoring/rule.ts';
import { ruleGroups, USUAL } from '../../../hack/monitoring/rules.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { objectOf, renderChart } from '../chart/support/chart.ts';
import { PLATFORM_CASES } from './platform-cases.ts';
import type { RuleCase } from './rule-case.ts';
import { SERVICE_CASES } from './service-cases.ts';

const CASES = [...SERVICE_CASES, ...PLATFORM_CASES];
const RULES = ruleGroups().flatMap(({ rules }) => rules);
const isAlert = (rule: Alert | RecordingRule): rule is Alert => 'alert' in rule;
const ALERTS = new Map(RULES.filter(isAlert).map((rule) => [rule.alert, rule]));

function promtool(...args: string[]): Promise<{ code: unknown; output: string }> {
  return new Promise((resolve) => {
    execFile('promtool', args, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, output: stdout + stderr }),
    );
  });
}

/** A case in the words of promtool. */
function unitTest({ name, series, step = '1m', at, alerts = {}, values = {} }: RuleCase): object {
  return {
    name,
    interval: step,
    input_series: Object.entries(series).map(([key, samples]) => ({ series: key, values: samples })),
    alert_rule_test: Object.entries(alerts).map(([alert, fired]) => ({
      eval_time: at,
      alertname: alert,
      exp_alerts: fired.map(({ labels, summary, description }) => ({
        exp_labels: { severity: ALERTS.get(alert)?.labels.severity, ...labels },
        exp_annotations: { summary, description, runbook_url: `${USUAL.runbooks}${alert}.md` },
      })),
    })),
    promql_expr_test: Object.entries(values).map(([record, found]) => ({
      expr: `round(${record}, 0.0001)`,
      eval_time: at,
      exp_samples: Object.entries(found).map(([labels, value]) => ({ labels, value })),
    })),
  };
}

describe('rules of Prometheus', () => {
  it.each(['1m', '10m', '30m'])(
    'find in series what each case expects, at each step of %s',
    async (every) => {
      const directory = await mkdtemp(join(tmpdir(), 'rules-'));
      onTestFinished(async () => await rm(directory, { recursive: true, force: true }));
      await writeFile(join(directory, 'rules.yaml'), await readFile('manifests/monitoring/rules.yaml'));
      const file = join(directory, 'cases.yaml');
      await writeFile(
        file,
        stringify({
          rule_files: ['rules.yaml'],
          evaluation_interval: every,
          group_eval_order: ['vllm-operator.records', 'vllm-operator.alerts'],
          tests: CASES.filter(({ step = '1m' }) => step === every).map(unitTest),
        }),
      );
      const { code, output } = await promtool('test', 'rules', file);
      expect(code, output).toBe(0);
    },
  );

  it.each([...ALERTS.keys()])('%s has a case in which it fires, and one in which it does not', (alert) => {
    const counts = CASES.map(({ alerts }) => alerts?.[alert]?.length);
    expect(counts).toContain(0);
    expect(counts.some((count) => count !== undefined && count > 0)).toBe(true);
  });

  it.each(RULES.filter((rule) => 'record' in rule))('$record has a case with its value', ({ record }) => {
    expect(CASES.flatMap(({ values = {} }) => Object.keys(values))).toContain(record);
  });

  it('are those of the chart, unless its values say otherwise', async () => {
    interface PrometheusRule extends KubeObject {
      spec: { groups: { name: string; rules: (Alert | RecordingRule)[] }[] };
    }
    const rules = async (prometheusRule: object) =>
      objectOf<PrometheusRule>(
        await renderChart({ metrics: { prometheusRule: { enabled: true, ...prometheusRule } } }),
        'PrometheusRule',
      ).spec.groups;
    const { groups } = parse(await readFile('manifests/monitoring/rules.yaml', 'utf8')) as {
      groups: unknown;
    };
    expect(await rules({})).toEqual(groups);

    const changed = await rules({
      disabled: ['VllmThroughputLow'],
      alertLabels: { team: 'platform', severity: 'page' },
      runbookUrl: 'https://runbooks.example.com/',
      thresholds: { latencyP99: 30, errorRatio: 0.05, availability: 0.95, gpuUtilisation: 0.1 },
    });
    const alerts = changed.flatMap((group) => group.rules).filter(isAlert);
    expect(alerts.map(({ alert }) => alert)).toEqual(
      [...ALERTS.keys()].filter((alert) => alert !== 'VllmThroughputLow'),
    );
    const of = (name: string) => alerts.find(({ alert }) => alert === name);
    expect(of('VllmLatencyP99High')).toMatchObject({
      expr: expect.stringMatching(/ > 30$/),
      labels: { team: 'platform', severity: 'page' },
      annotations: { runbook_url: 'https://runbooks.example.com/VllmLatencyP99High.md' },
    });
    expect(of('VllmErrorRateHigh')?.expr).toMatch(/ > 0\.05$/);
    expect(of('VllmGpuUtilisationLow')?.expr).toMatch(/ < 0\.1$/);
    expect(of('VllmErrorBudgetBurnsFast')?.expr).toContain('14.4 * (1 - 0.95)');
  });

  it('have no place left that a value should fill', async () => {
    const text = JSON.stringify(await renderChart({ metrics: { prometheusRule: { enabled: true } } }));
    expect(text).not.toMatch(/__[A-Za-z]/);
  });
});
