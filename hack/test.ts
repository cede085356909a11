/** `npm test`: every check of the project, and one closing line with the number of tests. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Check {
  name: string;
  command: string[];
}

/** Checks that either pass or fail as a whole; each counts as one test. */
const CHECKS: Check[] = [
  { name: 'generated files', command: ['node', 'hack/generate.ts', '--check'] },
  { name: 'format and lint', command: ['biome', 'check', '--error-on-warnings', '.'] },
  { name: 'lint of Lua', command: ['luacheck', '--quiet', 'operator', 'test'] },
  {
    name: 'lint of shell scripts',
    command: [
      'shellcheck',
      '.ci/run',
      'hack/image/install-router.sh',
      'hack/image/router-rootfs.sh',
      'hack/kind/down.sh',
      'hack/kind/smoke.sh',
      'hack/kind/up.sh',
      'operator/router/nginx/start.sh',
      'test/clients/programs/curl/chat.sh',
      'test/clients/programs/curl/embeddings.sh',
    ],
  },
  { name: 'types', command: ['tsc', '--noEmit'] },
  { name: 'dead code', command: ['knip'] },
  { name: 'code that only tests use', command: ['knip', '--production'] },
  { name: 'known vulnerabilities', command: ['node', 'hack/audit.ts'] },
];

interface VitestReport {
  numPassedTests: number;
  numFailedTests: number;
  numFailedTestSuites: number;
  testResults: { name: string; status: string; message: string }[];
}

/** Runs a command. Its output is shown at once. */
function run(command: string[], signal: AbortSignal): Promise<number> {
  const [file, ...args] = command as [string, ...string[]];
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit'], signal });
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

/** Runs a check in parallel with others. Its output is shown at the end. */
async function runCheck({ name, command }: Check, signal: AbortSignal): Promise<boolean> {
  const [file, ...args] = command as [string, ...string[]];
  const started = Date.now();
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], signal });
  const output: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => output.push(data));
  const [code] = (await once(child, 'close')) as [number | null];
  process.stdout.write(Buffer.concat(output));
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  return code === 0;
}

async function main(signal: AbortSignal): Promise<number> {
  const checks = await Promise.all(CHECKS.map((check) => runCheck(check, signal)));
  let passed = checks.filter(Boolean).length;
  let failed = checks.length - passed;

  const dir = mkdtempSync(join(tmpdir(), 'vllm-operator-test-'));
  const report = join(dir, 'report.json');
  try {
    const only = process.argv.slice(2);
    const code = await run(
      ['vitest', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...only],
      signal,
    );
    const result = JSON.parse(readFileSync(report, 'utf8')) as VitestReport;
    passed += result.numPassedTests;
    failed += result.numFailedTests;
    // A file that cannot be loaded fails no test of its own, and vitest can fail for an error outside of any test.
    const broken = result.testResults.filter(
      (file) => file.status === 'failed' && file.message !== '',
    ).length;
    if (code !== 0 && result.numFailedTests === 0) failed += Math.max(1, broken);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

const controller = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort());
process.exitCode = await main(controller.signal);
