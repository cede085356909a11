/** Engine pods as the simulator lets tests handle them. */
import type { Pod } from '../../../operator/controllers/shared/workloads.ts';
import { processesOfPod } from './processes.ts';

/** The address of a pod, which on devcluster is one of this machine. */
export function podIp(pod: Pod): string {
  const { podIP } = (pod.status ?? {}) as { podIP?: string };
  if (!podIP) throw new Error(`pod ${pod.metadata.name} has no address yet`);
  return podIP;
}

/** Sets failure switches of an engine, such as `slowFactor`. */
export async function control(pod: Pod, switches: Record<string, unknown>): Promise<void> {
  const answer = await fetch(`http://${podIp(pod)}:8000/sim/control`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(switches),
  });
  if (!answer.ok) throw new Error(`${pod.metadata.name}: ${answer.status} ${await answer.text()}`);
}

/** Kills the processes of a pod, as the kernel does when memory runs out. */
export function kill(pod: Pod): void {
  const processes = processesOfPod(pod.metadata.name);
  if (processes.length === 0) throw new Error(`pod ${pod.metadata.name} has no process`);
  for (const { pid } of processes) process.kill(pid, 'SIGKILL');
}

/** What a restart or a rollout would change of pods. */
export function identities(pods: readonly Pod[]): string[] {
  return pods
    .map(({ metadata, status }) => {
      const restarts = status?.containerStatuses?.map(({ restartCount }) => restartCount);
      return `${metadata.name} ${metadata.uid} restarts ${restarts?.join()}`;
    })
    .sort();
}
