import type { PodLogRequest } from '../apiserver/handlers/pod-handler.ts';
import { readLog } from './log-reader.ts';
import type { NodeAgent } from './node-agent.ts';

/** A log cannot be given. `status` is the HTTP status to answer with. */
export class PodLogError extends Error {
  readonly code = 'POD_LOG_UNAVAILABLE';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'PodLogError';
    this.status = status;
  }
}

/** Opens a container's log. Throws {@link PodLogError} when there is none. */
export function openPodLog(
  agent: NodeAgent,
  request: PodLogRequest,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const { namespace, pod, container, previous = false } = request;
  if (request.timestamps || request.sinceSeconds !== undefined || request.sinceTime !== undefined) {
    throw new PodLogError(
      501,
      'logs are kept without times here: leave out --timestamps, --since and --since-time',
    );
  }
  const runner = agent.worker(namespace, pod)?.runner(container);
  const file = runner?.logFile(previous);
  if (!runner || file === undefined) {
    const what = previous ? 'previous terminated container' : 'container';
    const why = previous ? 'not found' : 'is waiting to start';
    throw new PodLogError(400, `${what} "${container}" in pod "${pod}" ${why}`);
  }
  return readLog(file, { ...request, ended: previous ? Promise.resolve() : runner.ended() }, signal);
}
