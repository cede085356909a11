import { once } from 'node:events';
import { type LabelSelector, matchesSelector } from '../../../../operator/values/label-selector.ts';
import type { ApiObject } from '../api-object.ts';
import { sendJson } from '../http-message.ts';
import {
  clone,
  ensureObject,
  isObject,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  stringAt,
  valueAt,
} from '../json.ts';
import type { ServerContext } from '../server-context.ts';
import { badRequest, conflict, methodNotAllowed, StatusError } from '../status-error.ts';
import { readStored } from '../writes/common.ts';
import { deleteObject } from '../writes/delete-object.ts';
import { deleteOptions } from '../writes/delete-options.ts';
import { type HandlerState, type ResourceRequest, readObjectBody, targetOf } from './resource-handler.ts';
import { writeRequestOf } from './write-request.ts';

/** The parameters of `GET pods/<name>/log`. */
export interface PodLogRequest {
  namespace: string;
  pod: string;
  container: string;
  follow?: boolean;
  previous?: boolean;
  timestamps?: boolean;
  tailLines?: number;
  limitBytes?: number;
  sinceSeconds?: number;
  sinceTime?: string;
}

/** Opens a container's log; a thrown error with a numeric `status` is answered with that status. */
export type PodLogs = (request: PodLogRequest, signal: AbortSignal) => AsyncIterable<Uint8Array>;

/** Answers `GET pods/<name>/log` from the node agent. */
export async function handlePodLog(
  state: HandlerState,
  logs: PodLogs | undefined,
  call: ResourceRequest,
): Promise<void> {
  if (call.info.verb !== 'get') throw methodNotAllowed();
  const pod = readStored(state.server, { ...targetOf(call), subresource: '' });
  const request = logRequest(call, pod);
  // A pod that is not bound to a node has no kubelet to read logs from.
  if (stringAt(pod, 'spec', 'nodeName') === '') {
    call.response.writeHead(204).end();
    return;
  }
  if (!logs) throw new StatusError(503, 'ServiceUnavailable', 'no node agent serves logs');
  const stop = new AbortController();
  const { response } = call;
  response.once('close', () => stop.abort());
  let stream: AsyncIterable<Uint8Array>;
  try {
    stream = logs(request, stop.signal);
  } catch (error) {
    throw logError(error);
  }
  response.setHeader('Content-Type', 'text/plain');
  response.flushHeaders();
  try {
    for await (const chunk of stream) {
      if (!response.write(chunk)) await Promise.race([once(response, 'drain'), once(response, 'close')]);
      if (stop.signal.aborted) break;
    }
  } finally {
    response.end();
  }
}

function logError(error: unknown): unknown {
  const status = error instanceof Error && 'status' in error ? Number(error.status) : Number.NaN;
  if (!(error instanceof Error) || Number.isNaN(status)) return error;
  return new StatusError(status, status === 400 ? 'BadRequest' : 'InternalError', error.message);
}

function logRequest({ info }: ResourceRequest, pod: JsonObject): PodLogRequest {
  const { query } = info;
  const names = ['containers', 'initContainers', 'ephemeralContainers'].flatMap((list) =>
    objectsAt(pod, 'spec', list).map((each) => stringAt(each, 'name')),
  );
  const main = objectsAt(pod, 'spec', 'containers').map((each) => stringAt(each, 'name'));
  const container = query.get('container') ?? (main.length === 1 ? (main[0] ?? '') : '');
  if (container === '')
    throw badRequest(
      `a container name must be specified for pod ${info.name}, choose one of: [${main.join(' ')}]`,
    );
  if (!names.includes(container))
    throw badRequest(`container ${container} is not valid for pod ${info.name}`);
  const flag = (name: string): boolean => query.get(name) === 'true' || query.get(name) === '1';
  const out: PodLogRequest = {
    namespace: info.namespace,
    pod: info.name,
    container,
    follow: flag('follow'),
    previous: flag('previous'),
    timestamps: flag('timestamps'),
  };
  if (query.has('tailLines')) out.tailLines = Number(query.get('tailLines'));
  if (query.has('limitBytes')) out.limitBytes = Number(query.get('limitBytes'));
  if (query.has('sinceSeconds')) out.sinceSeconds = Number(query.get('sinceSeconds'));
  const since = query.get('sinceTime');
  if (since !== null) out.sinceTime = since;
  return out;
}

/** Answers `POST pods/<name>/binding`: the scheduler's way to put a pod on a node. */
export async function handleBinding(state: HandlerState, call: ResourceRequest): Promise<void> {
  if (call.info.verb !== 'create') throw methodNotAllowed();
  const body = await readObjectBody(call, 'Binding');
  const target = { ...targetOf(call), subresource: '' };
  const pod = readStored(state.server, target);
  const node = stringAt(body, 'target', 'name');
  if (node === '') throw badRequest('Binding is invalid: target.name: Required value');
  if (stringAt(pod, 'spec', 'nodeName') !== '')
    throw conflict(
      target.resource,
      target.name,
      `pod ${target.name} is already assigned to node ${JSON.stringify(stringAt(pod, 'spec', 'nodeName'))}`,
    );
  const next = clone(pod);
  ensureObject(next, 'spec').nodeName = node;
  const status = ensureObject(next, 'status');
  const conditions = objectsAt(status, 'conditions').filter((each) => each.type !== 'PodScheduled');
  const now = `${state.server.now().toISOString().slice(0, 19)}Z`;
  status.conditions = [
    ...conditions,
    { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: now },
  ];
  if (!writeRequestOf(call).dryRun) state.server.store.put(target.resource.collection, next);
  sendJson(call.response, 201, success());
}

function success(): JsonObject {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
}

/** Answers `POST pods/<name>/eviction`: a deletion that PodDisruptionBudgets may refuse with 429. */
export async function handleEviction(state: HandlerState, call: ResourceRequest): Promise<void> {
  if (call.info.verb !== 'create') throw methodNotAllowed();
  const body = await readObjectBody(call, 'Eviction');
  const named = stringAt(body, 'metadata', 'name');
  if (named !== '' && named !== call.info.name)
    throw badRequest('name in URL does not match name in Eviction object');
  const target = { ...targetOf(call), subresource: '' };
  const pod = readStored(state.server, target);
  const request = writeRequestOf(call);
  if (!mayLeave(pod)) takeDisruption(state.server, pod, request.dryRun);
  const options = isObject(body.deleteOptions) ? body.deleteOptions : undefined;
  deleteObject({ ...target, server: state.server, request }, deleteOptions(options, call.info.query));
  sendJson(call.response, 201, success());
}

/** Whether a pod can be evicted whatever its budgets are (canIgnorePDB of Kubernetes). */
function mayLeave(pod: ApiObject): boolean {
  const phase = stringAt(pod, 'status', 'phase');
  return ['Pending', 'Succeeded', 'Failed'].includes(phase) || pod.metadata.deletionTimestamp !== undefined;
}

/** Takes one of the disruptions that the budget of a pod allows. Throws TooManyRequests when there is none. */
function takeDisruption({ store }: ServerContext, pod: ApiObject, dryRun: boolean): void {
  const [budget, ...more] = store
    .list('policy/poddisruptionbudgets', pod.metadata.namespace)
    .filter((each) =>
      matchesSelector(valueAt(each, 'spec', 'selector') as LabelSelector | undefined, pod.metadata.labels),
    );
  if (!budget) return;
  if (more.length > 0) {
    const why =
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
    throw new StatusError(500, 'InternalError', why);
  }
  const { name } = budget.metadata;
  const count = (field: string): number => numberAt(budget, 'status', field) ?? 0;
  const [desired, healthy, allowed] = [
    count('desiredHealthy'),
    count('currentHealthy'),
    count('disruptionsAllowed'),
  ];
  const ready = objectsAt(pod, 'status', 'conditions').some(
    ({ type, status }) => type === 'Ready' && status === 'True',
  );
  const always = stringAt(budget, 'spec', 'unhealthyPodEvictionPolicy') === 'AlwaysAllow';
  // Evicting a pod that is not ready does not use up a budget that is met without it, or that always allows it.
  if (!ready && (always || (healthy >= desired && desired > 0))) return;
  if (count('observedGeneration') < (budget.metadata.generation ?? 0))
    throw overBudget(`The disruption budget ${name} is still being processed by the server.`);
  if (allowed < 1)
    throw overBudget(
      `The disruption budget ${name} needs ${desired} healthy pods and has ${healthy} currently`,
    );
  if (dryRun) return;
  const status = { ...objectAt(budget, 'status'), disruptionsAllowed: allowed - 1 };
  store.put('policy/poddisruptionbudgets', { ...budget, status });
}

function overBudget(message: string): StatusError {
  const why = "Cannot evict pod as it would violate the pod's disruption budget.";
  return new StatusError(429, 'TooManyRequests', why, { causes: [{ reason: 'DisruptionBudget', message }] });
}
