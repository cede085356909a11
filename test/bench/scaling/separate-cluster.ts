/** Starts a devcluster beside this process. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Cluster, ClusterOptions } from '../../../hack/devcluster/cluster.ts';

/** Like `startCluster`, in a process of its own. Options must be JSON. */
export async function startSeparateCluster(
  options: ClusterOptions,
): Promise<Cluster & { pid: number | undefined }> {
  const child = fork(fileURLToPath(new URL('./cluster-process.ts', import.meta.url)));
  child.send(options);
  const [cluster] = (await once(child, 'message')) as [Omit<Cluster, 'close'>];
  return {
    ...cluster,
    pid: child.pid,
    async close() {
      const exited = once(child, 'exit');
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}
