/** The operator's image in devcluster: this checkout, with the pod's service account. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ImageHandler, imageBaseName } from '../../../hack/devcluster/node/images/image-handler.ts';

const MAIN = fileURLToPath(new URL('../../../operator/main.ts', import.meta.url));

/** Names the mounted service account, so that its path is rewritten to where it is on this machine. */
export const ACCOUNT_ENV = {
  name: 'SERVICE_ACCOUNT',
  value: '/var/run/secrets/kubernetes.io/serviceaccount',
};

export const operatorImage: ImageHandler = {
  matches: (image) => imageBaseName(image) === 'operator',
  launch: ({ args = [], env, directory }) => {
    const kubeconfig = join(directory, 'kubeconfig');
    writeFileSync(kubeconfig, accountKubeconfig(env));
    return {
      command: process.execPath,
      args: [MAIN, ...args, '--kubeconfig', kubeconfig],
      env,
      cwd: directory,
    };
  },
};

/** What a process in a pod finds by itself, for one whose root is this machine's. */
function accountKubeconfig(env: Record<string, string>): string {
  const account = env[ACCOUNT_ENV.name] ?? '';
  const server = `https://${env.KUBERNETES_SERVICE_HOST}:${env.KUBERNETES_SERVICE_PORT}`;
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'pod', cluster: { server, 'certificate-authority': join(account, 'ca.crt') } }],
    users: [{ name: 'pod', user: { token: readFileSync(join(account, 'token'), 'utf8') } }],
    contexts: [{ name: 'pod', context: { cluster: 'pod', user: 'pod' } }],
    'current-context': 'pod',
  });
}
