import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '../../..');
const directory = join(root, '.github/workflows');
const files = readdirSync(directory);

interface Job {
  permissions?: Record<string, string>;
  'timeout-minutes'?: number;
  container?: string;
  steps: { uses?: string; with?: Record<string, unknown>; run?: string }[];
}
const read = (file: string): string => readFileSync(join(directory, file), 'utf8');
const jobsOf = (file: string): Job[] =>
  Object.values((parse(read(file)) as { jobs: Record<string, Job> }).jobs);

describe('a workflow', () => {
  test.each(files)('%s runs actions by commit, with their version beside', (file) => {
    const used = read(file)
      .split('\n')
      .filter((line) => /\buses:/.test(line));
    expect(used.length).toBeGreaterThan(0);
    for (const line of used) expect(line).toMatch(/uses: [\w-]+(\/[\w-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  test.each(files)('%s gives each job the rights that it needs and no more, and an end', (file) => {
    expect((parse(read(file)) as { permissions: unknown }).permissions).toEqual({});
    for (const job of jobsOf(file)) {
      expect(job.permissions).toBeDefined();
      expect(job['timeout-minutes']).toBeLessThanOrEqual(60);
    }
  });

  test.each(files)('%s leaves no token in the checkout, and runs in images by digest', (file) => {
    for (const job of jobsOf(file)) {
      for (const step of job.steps.filter(({ uses }) => uses?.startsWith('actions/checkout@'))) {
        expect(step.with).toMatchObject({ 'persist-credentials': false });
      }
      if (job.container !== undefined) expect(job.container).toMatch(/@sha256:[0-9a-f]{64}$/);
    }
  });

  // What an attacker writes into a title or a branch would become shell code.
  test.each(files)('%s puts nothing of an event into a script', (file) => {
    const scripts = jobsOf(file).flatMap((job) => job.steps.flatMap(({ run }) => run ?? []));
    for (const script of scripts)
      expect(script).not.toMatch(/\$\{\{\s*(github\.event|github\.head_ref|inputs\.)/);
  });

  test('one version of an action is used by all', () => {
    const versions = new Map<string, Set<string>>();
    for (const [, name, commit] of files
      .map(read)
      .join('\n')
      .matchAll(/uses: ([\w/-]+)@([0-9a-f]{40})/g)) {
      versions.set(name as string, (versions.get(name as string) ?? new Set()).add(commit as string));
    }
    for (const [name, commits] of versions) expect([name, commits.size]).toEqual([name, 1]);
  });
});

test.each(['Dockerfile', 'hack/kind/vllm-sim.Dockerfile'])(
  'base images of %s are named by digest',
  (file) => {
    const text = readFileSync(join(root, file), 'utf8');
    const named = [...text.matchAll(/^(?:ARG \w+=|FROM )([\w./-]+:[\w.-]+\S*)/gm)].map(([, image]) => image);
    expect(named.length).toBeGreaterThan(0);
    for (const image of named) expect(image).toMatch(/@sha256:[0-9a-f]{64}$/);
  },
);
