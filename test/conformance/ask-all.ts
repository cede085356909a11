import { normalise, type Observation } from './normalise.ts';
import type { ConformanceRequest } from './request.ts';
import { send } from './send.ts';

/** How long an answer may take, in milliseconds: an engine on a busy CPU compiles at its first request. */
const PATIENCE_MS = 120_000;

/** Sends requests one after the other. Returns the observation of each by name. Throws when a connection fails. */
export async function askAll(
  url: string,
  requests: readonly ConformanceRequest[],
  folders: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Record<string, Observation>> {
  const answers: Record<string, Observation> = {};
  for (const request of requests) {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
    try {
      answers[request.name] = normalise(await send(url, request, folders, limit), folders);
    } catch (cause) {
      throw new Error(`no answer to "${request.name}": ${cause instanceof Error ? cause.message : cause}`, {
        cause,
      });
    }
  }
  return answers;
}
