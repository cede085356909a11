import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../../..');
let work: string;

beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'npm-package-'));
});
afterAll(() => {
  rmSync(work, { recursive: true, force: true });
});

describe('the npm package', () => {
  test('runs outside of the checkout, and needs nothing but node', () => {
    execFileSync(process.execPath, [join(root, 'hack/release/npm-package.ts'), join(work, 'package')]);
    execFileSync('npm', ['pack', join(work, 'package'), '--silent'], { cwd: work });
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    const elsewhere = join(work, 'elsewhere');
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, 'package.json'), '{"private": true}');
    execFileSync(
      'npm',
      ['install', '--offline', '--no-audit', '--no-fund', join(work, `vllm-operator-${version}.tgz`)],
      {
        cwd: elsewhere,
      },
    );

    const command = join(elsewhere, 'node_modules/.bin/vllm-operator');
    const run = (...args: string[]): string =>
      execFileSync(command, args, { cwd: elsewhere, encoding: 'utf8' });
    expect(run('--version').trim()).toBe(version);
    cpSync(join(root, 'examples'), join(elsewhere, 'examples'), { recursive: true });
    expect(run('render', '-f', 'examples/a100.yaml')).toContain('kind: Deployment');
  });
});

describe('a release', () => {
  const checkTag = (directory: string, tag: string) =>
    spawnSync(process.execPath, [join(directory, 'hack/release/check-tag.ts'), tag], { encoding: 'utf8' });

  function copy(version: string, changelog: string): string {
    const directory = mkdtempSync(join(work, 'release-'));
    cpSync(join(root, 'hack/release'), join(directory, 'hack/release'), { recursive: true });
    mkdirSync(join(directory, 'charts/vllm-operator'), { recursive: true });
    writeFileSync(join(directory, 'package.json'), JSON.stringify({ version, type: 'module' }));
    writeFileSync(
      join(directory, 'charts/vllm-operator/Chart.yaml'),
      `name: x\nversion: ${version}\nappVersion: ${version}\n`,
    );
    writeFileSync(join(directory, 'CHANGELOG.md'), changelog);
    return directory;
  }

  test('has the notes of its version', () => {
    const directory = copy(
      '1.2.0',
      '# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-12-01\n\n- Something\n\n## [1.1.0]\n\n- Older\n',
    );
    const { status, stdout } = checkTag(directory, 'v1.2.0');
    expect({ status, stdout }).toEqual({ status: 0, stdout: '- Something\n' });
  });

  test('is refused with what to do when versions or notes are missing', () => {
    const { status, stderr } = checkTag(copy('1.2.0', '# Changelog\n\n## [Unreleased]\n'), 'v1.3.0');
    expect(status).toBe(1);
    expect(stderr).toContain('The tag is v1.3.0, but package.json has version 1.2.0');
    expect(stderr).toContain('CHANGELOG.md has no section [1.2.0]');
  });
});
