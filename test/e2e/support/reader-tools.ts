/** The programs that documented commands name, as a reader has them. */
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { kubectlPath } from '../../../hack/kubectl/kubectl.ts';
import { unpackTool } from '../../../hack/kubectl/unpack-tool.ts';
import { inRepository } from '../../support/documented-commands.ts';
import { ACCOUNT_ENV } from './operator-image.ts';

/** Pods of devcluster share the ports and the root of this machine. */
const VALUES = { extraEnv: [ACCOUNT_ENV], extraArgs: ['--probe-host=$(POD_IP)', '--metrics-api-port=0'] };

/** A release that is there already is installed once more without writing. */
const helmScript = (helm: string, values: string): string => `#!/bin/sh
case $1 in install | upgrade)
  if [ "$1" = install ] && ${helm} status "$2" --namespace vllm-operator-system >/dev/null 2>&1; then
    set -- "$@" --dry-run=server
  fi
  set -- "$@" --values ${values} ;;
esac
exec ${helm} "$@"
`;

/** npm and npx start the same files, and cost a second each time. */
const NPX = `#!/bin/sh
[ "$1" = vllm-operator ] || exit 64
shift
exec ${process.execPath} ${inRepository('operator/main.ts')} "$@"
`;
const NPM = `#!/bin/sh
[ "$1 $2" = 'run devcluster' ] || exit 64
shift 2
[ "$1" = -- ] && shift
exec ${process.execPath} ${inRepository('hack/devcluster/main.ts')} "$@"
`;
/** The response of a refused request is no answer. */
const CURL = `#!/bin/sh
PATH=/usr/local/bin:/usr/bin:/bin exec curl --fail-with-body --silent --show-error "$@"
`;

/** Writes them into a directory for PATH. */
export async function commandShims(directory: string): Promise<void> {
  const values = join(directory, 'values.yaml');
  await writeFile(values, stringify(VALUES));
  await symlink(kubectlPath(), join(directory, 'kubectl'));
  const helm = process.env.HELM ?? unpackTool('helm');
  for (const [name, text] of Object.entries({
    helm: helmScript(helm, values),
    npx: NPX,
    npm: NPM,
    curl: CURL,
  }))
    await writeFile(join(directory, name), text, { mode: 0o755 });
}
