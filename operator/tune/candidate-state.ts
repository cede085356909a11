/** What the status of a candidate says, as the sweep needs it. Pure. */
import { BLOCKERS, ENGINE_PROBLEMS, REFUSALS } from '../api/reasons.ts';
import type { InferenceModel } from '../api/types.ts';
import type { Failure } from './failure.ts';

export type CandidateState =
  /** `since` is when it became ready, as the API states it. */
  | { is: 'ready'; since: string }
  /** At zero replicas; a request wakes it. */
  | { is: 'asleep' }
  | { is: 'starting'; reason: string; message: string }
  | { is: 'failed'; failure: Failure };

/** Texts of vLLM, PyTorch and the operator about memory of accelerators and hosts. */
const MEMORY =
  /out of memory|OutOfMemory|OOMKilled|No available memory for the cache blocks|KV cache is needed|less than desired GPU memory utilization/i;
const REFUSED: ReadonlySet<string> = new Set([...BLOCKERS, ...REFUSALS]);
const ENGINE: ReadonlySet<string> = new Set(ENGINE_PROBLEMS);

/** The state of a candidate. A status of an older spec says nothing yet. */
export function candidateState(model: InferenceModel): CandidateState {
  const { status, metadata } = model;
  const condition = (type: string) => status?.conditions?.find((found) => found.type === type);
  const ready = condition('Ready');
  if (!ready || status?.observedGeneration !== metadata.generation)
    return { is: 'starting', reason: 'Pending', message: 'the operator has not seen the model yet' };
  const { reason, message } = ready;
  if (ready.status === 'True' && reason === 'Idle') return { is: 'asleep' };
  // A model that waits for accelerators at zero replicas is Ready as well, because it may sleep.
  if (ready.status === 'True' && reason !== 'WaitingForAccelerators')
    return { is: 'ready', since: ready.lastTransitionTime };
  const needsUser = condition('Stalled')?.status === 'True';
  // The same settings run out of memory again, so restarts need not be waited for.
  if (reason === 'DoesNotFit' || (ENGINE.has(reason) && MEMORY.test(message)))
    return { is: 'failed', failure: { kind: 'out-of-memory', reason, message } };
  if (!needsUser) return { is: 'starting', reason, message };
  return {
    is: 'failed',
    failure: { kind: REFUSED.has(reason) ? 'refused' : 'start-failed', reason, message },
  };
}
