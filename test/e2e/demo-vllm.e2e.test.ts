/** `npm run demo -- --engine vllm`, with the simulator in the place of the real engine. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { VLLM_VERSIONS } from '../../hack/vllm/environment.ts';
import { Demo } from './support/demo.ts';

const SIMULATOR = fileURLToPath(new URL('../../hack/vllm-sim/main.ts', import.meta.url));

/**
 * Virtual environments as `npm run demo -- --engine vllm` installs them, with the simulator in the place of `vllm`. Engines
 * have a /tmp of their own, so they are elsewhere.
 */
async function environments(): Promise<string> {
  const directory = await mkdtemp('/var/tmp/demo-test-');
  const bin = join(directory, `vllm-${VLLM_VERSIONS[0]}`, 'bin');
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, 'python'), '#!/bin/sh\n', { mode: 0o755 });
  const env = 'VLLM_SIM_STARTUP_SECONDS=1 VLLM_SIM_INTER_TOKEN_MS=2';
  const script = `#!/bin/sh\nexec env ${env} '${process.execPath}' '${SIMULATOR}' "$@"\n`;
  await writeFile(join(bin, 'vllm'), script, { mode: 0o755 });
  return directory;
}

it('the demo with the vllm of a virtual environment goes through to its end', async ({ onTestFinished }) => {
  const VLLM_ENVIRONMENTS = await environments();
  const demo = await Demo.start(['--engine', 'vllm'], { VLLM_ENVIRONMENTS });
  onTestFinished(async () => {
    await demo.close();
    await rm(VLLM_ENVIRONMENTS, { recursive: true });
  });

  const code = await demo.exitCode();

  expect(code, demo.output).toBe(0);
  expect(demo.output).toMatch(/[1-9]\d* streams with \d+ tokens went to their end, 0 were cut/);
  expect(demo.output).toContain('X-Cache: HIT');
  expect(demo.output).toMatch(/^ +load +\S+s +until the engine was ready$/m);
  expect(demo.output).toContain('no object with app.kubernetes.io/managed-by=vllm-operator is left');
});

it('a demo that stops says where, and what the engines wrote', async ({ onTestFinished }) => {
  const VLLM_ENVIRONMENTS = await environments();
  const vllm = join(VLLM_ENVIRONMENTS, `vllm-${VLLM_VERSIONS[0]}`, 'bin', 'vllm');
  // It starts, and cannot answer anything.
  await writeFile(vllm, `${await readFile(vllm, 'utf8')}`.replace('env ', 'env VLLM_SIM_ERROR_RATE=1 '));
  const demo = await Demo.start(['--engine', 'vllm'], { VLLM_ENVIRONMENTS });
  onTestFinished(async () => {
    await demo.close();
    await rm(VLLM_ENVIRONMENTS, { recursive: true });
  });

  expect(await demo.exitCode()).toBe(1);

  expect(demo.output).toContain('the demo stopped at step 6 (Ask for a chat completion)');
  expect(demo.output).toContain('inferencemodel.vllm-operator.dev/tiny');
  expect(demo.output).toMatch(/\$ kubectl logs -n team-a vllm-tiny-\S+ --tail=30/);
});
