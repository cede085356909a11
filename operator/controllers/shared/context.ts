/** What every controller is made with: the API, the caches, the queues, and the means to say something. */
import type { Registry } from 'prom-client';
import type { KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../kube/clock.ts';
import { Controller, type ReconcileContext, type ReconcileResult } from '../../kube/controller.ts';
import { EventRecorder } from '../../kube/events.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import type { Logger } from '../../kube/logger.ts';
import type { Permission } from '../../kube/permission.ts';
import { EVENTS } from '../../kube/resource-types.ts';
import { StatusWriter } from '../../kube/status-writer.ts';
import { type AddOptions, WorkQueue } from '../../kube/work-queue.ts';
import { WriteTracker } from '../../kube/write-tracker.ts';
import { AuthorityStore } from '../../pki/authority-store.ts';
import { Identity } from '../../pki/identity.ts';
import { type ClusterState, createClusterState, STATUS_FIELD_MANAGER } from './cluster-state.ts';

/** Names of the controllers, as their metrics and log lines have them. */
export const QUEUES = [
  'inferencepool',
  'inferencemodel',
  'routes',
  'snapshots',
  'scaling',
  'evacuation',
] as const;
export type QueueName = (typeof QUEUES)[number];

export interface OperatorContext {
  client: KubeClient;
  /** Where the operator keeps its Lease and its root key. */
  operatorNamespace: string;
  clock: Clock;
  log: Logger;
  registry: Registry;
  state: ClusterState;
  /** One for each controller. Whoever knows that a key has to be looked at adds it there. */
  queues: Record<QueueName, WorkQueue>;
  tracker: WriteTracker;
  events: EventRecorder;
  status: StatusWriter;
  identity: Identity;
}

export interface ContextOptions {
  client: KubeClient;
  namespace: string;
  /** Unique to this process, such as the pod's name. */
  identity: string;
  clock: Clock;
  log: Logger;
  registry: Registry;
}

const REPORTING_CONTROLLER = 'vllm-operator.dev/operator';
const MAX_RETRY_DELAY_MS = 60_000;
const RECONCILE_TIMEOUT_MS = 60_000;

export const CONTEXT_PERMISSIONS: readonly Permission[] = [{ type: EVENTS, verbs: ['create'] }];

/** Makes the context; nothing in it runs yet. */
export function createContext({ namespace, identity, ...options }: ContextOptions): OperatorContext {
  const { client, clock, log, registry } = options;
  const tracker = new WriteTracker();
  const queue = (name: QueueName) => new WorkQueue({ name, maxDelayMs: MAX_RETRY_DELAY_MS, registry });
  return {
    ...options,
    operatorNamespace: namespace,
    state: createClusterState({ client, log, registry }),
    queues: Object.fromEntries(QUEUES.map((name) => [name, queue(name)])) as Record<QueueName, WorkQueue>,
    tracker,
    events: new EventRecorder({ client, controller: REPORTING_CONTROLLER, instance: identity, log }),
    status: new StatusWriter({ client, fieldManager: STATUS_FIELD_MANAGER, tracker, registry }),
    identity: new Identity({
      store: new AuthorityStore({ client, namespace, now: () => new Date(clock.now()) }),
      clock,
    }),
  };
}

export interface ControllerSettings {
  reconcile: (key: Key, context: ReconcileContext) => Promise<ReconcileResult | undefined>;
  concurrency?: number;
  /** What has to be known before anything is decided, such as what the leader before this one has decided. */
  before?: (signal: AbortSignal) => Promise<void>;
  /** Whether to wait until the local copies show this key's own last writes. */
  waitsForOwnWrites?: boolean;
}

/** The controller that works on one of the queues. */
export function createController(
  { queues, tracker, log, registry }: OperatorContext,
  name: QueueName,
  { reconcile, before, waitsForOwnWrites = false, ...options }: ControllerSettings,
): Controller {
  return new Controller({
    ...options,
    name,
    queue: queues[name],
    timeoutMs: RECONCILE_TIMEOUT_MS,
    ready: (key) => !waitsForOwnWrites || tracker.isReady(key),
    reconcile: async (key, context) => {
      await before?.(context.signal);
      return await reconcile(key, context);
    },
    log,
    registry,
  });
}

/** Adds the models of a UID to a queue. */
export function addModel(queue: WorkQueue, state: ClusterState, uid: string, options?: AddOptions): void {
  for (const model of state.models.store.byIndex('byUid', uid)) queue.add(keyOf(model), options);
}
