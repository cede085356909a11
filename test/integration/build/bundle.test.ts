/** What the container image runs: one file, far from the packages that it was made of. */
import { execFile, spawn } from 'node:child_process';
import { randomUUID, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { INFERENCE_POOLS } from '../../../operator/api/types.ts';
import { KubeClient } from '../../../operator/kube/client.ts';
import { isKubeError } from '../../../operator/kube/errors.ts';
import { loadConnection } from '../../../operator/kube/load-connection.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { CONFIG_MAPS, SECRETS } from '../../../operator/kube/resource-types.ts';
import { Transport } from '../../../operator/kube/transport.ts';
import { PATIENCE } from '../../support/patience.ts';
import { startTestApiServer } from '../support/api-server.ts';
import { install, uninstall } from '../support/install.ts';

const root = join(import.meta.dirname, '../../..');
const run = promisify(execFile);
const directory = mkdtempSync(join(tmpdir(), 'vllm-operator-image-'));
const bundle = join(directory, 'dist/vllm-operator.mjs');

beforeAll(async () => {
  await run(process.execPath, ['hack/build.ts', '--outdir', join(directory, 'dist')], { cwd: root });
  copyFileSync(join(root, 'package.json'), join(directory, 'package.json'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it('renders what the source renders', async () => {
  const args = ['render', '-f', join(root, 'examples/a100.yaml')];
  const fromBundle = await run(process.execPath, [bundle, ...args], { cwd: directory });
  const fromSource = await run(process.execPath, [join(root, 'operator/main.ts'), ...args], { cwd: root });
  expect(fromBundle.stdout).toBe(fromSource.stdout);
  expect(fromBundle.stdout).toContain('lua_package_path');
});

it('has its version from the package.json beside it', async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const { stdout } = await run(process.execPath, [bundle, '--version'], { cwd: directory });
  expect(stdout.trim()).toBe(version);
});

it('runs the operator: reads a kubeconfig, makes its certificates, and fills in the routers\u2019 files', async () => {
  const server = await startTestApiServer();
  const transport = new Transport({ connection: await loadConnection({ kubeconfig: server.kubeconfig }) });
  const client = new KubeClient(transport);
  const namespace = `bundle-${randomUUID().slice(0, 8)}`;
  await install(client, { namespace, without: ['Deployment', 'PodDisruptionBudget'] });
  const operator = spawn(
    process.execPath,
    [
      bundle,
      'run',
      '--kubeconfig',
      server.kubeconfig,
      '--namespace',
      namespace,
      '--probe-host',
      '127.0.0.1',
      '--probe-port',
      '0',
      '--log-level',
      'error',
    ],
    { cwd: directory, stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const exited = once(operator, 'exit');
  try {
    await client.create(INFERENCE_POOLS, {
      apiVersion: 'vllm-operator.dev/v1alpha1',
      kind: 'InferencePool',
      metadata: { name: 'bundled', namespace },
      spec: { accelerator: { type: 'L4' } },
    } as KubeObject);
    const config = await vi.waitFor(async () => {
      const { items } = await client.list<KubeObject & { data: Record<string, string> }>(CONFIG_MAPS, {
        namespace,
      });
      const files = items.find(({ data }) => data['nginx.conf'] !== undefined);
      if (!files) throw new Error('the routers have no files yet');
      return files;
    }, PATIENCE);
    const secret = await client.get<KubeObject & { data: Record<string, string> }>(SECRETS, {
      namespace,
      name: 'vllm-operator-root',
    });
    const ca = new X509Certificate(Buffer.from(secret.data['ca.crt'] ?? '', 'base64'));
    expect(ca.ca).toBe(true);
    expect(new X509Certificate(config.data['operator-ca.crt'] ?? '').fingerprint256).toBe(ca.fingerprint256);
    await client.delete(INFERENCE_POOLS, { namespace, name: 'bundled' });
    await expect
      .poll(
        () =>
          client.get(INFERENCE_POOLS, { namespace, name: 'bundled' }).then(
            () => false,
            (error: unknown) => isKubeError(error, 'NotFound'),
          ),
        { message: 'the pool is let go' },
      )
      .toBeTruthy();
  } finally {
    operator.kill('SIGTERM');
    await exited;
    if (server.shared) await uninstall(client, { namespace });
    await transport.close();
    await server.close();
  }
});
