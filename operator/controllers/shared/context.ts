/** The dependencies that all controllers share: API client, caches, work queues, event recorder, status writer. */
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
import type { ImageDefaults } from '../../render/image-defaults.ts';
import { type ClusterState, createClusterState, STATUS_FIELD_MANAGER } from './cluster-state.ts';

/** Controller names, as they appear in metrics and logs. */
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
  /** Namespace of the operator's Lease and root key. */
  operatorNamespace: string;
  /** Images and pull secrets where pools and models name none. */
  images: ImageDefaults;
  clock: Clock;
  log: Logger;
  registry: Registry;
  state: ClusterState;
  /** One queue per controller. Any part of the operator may add a key to it. */
  queues: Record<QueueName, WorkQueue>;
  tracker: WriteTracker;
  events: EventRecorder;
  status: StatusWriter;
  identity: Identity;
}

export interface ContextOptions {
  client: KubeClient;
  namespace: string;
  /** Unique per process, for example the pod name. */
  identity: string;
  images?: ImageDefaults;
  clock: Clock;
  log: Logger;
  registry: Registry;
}

const REPORTING_CONTROLLER = 'vllm-operator.dev/operator';
const MAX_RETRY_DELAY_MS = 60_000;
const RECONCILE_TIMEOUT_MS = 60_000;

export const CONTEXT_PERMISSIONS: readonly Permission[] = [{ type: EVENTS, verbs: ['create'] }];

/** Creates the context. Nothing in it runs yet. */
export function createContext({
  namespace,
  identity,
  images = {},
  ...options
}: ContextOptions): OperatorContext {
  const { client, clock, log, registry } = options;
  const tracker = new WriteTracker();
  const queue = (name: QueueName) => new WorkQueue({ name, maxDelayMs: MAX_RETRY_DELAY_MS, registry });
  return {
    ...options,
    operatorNamespace: namespace,
    images,
    state: createClusterState({ client, log, registry }),
    queues: Object.fromEntries(QUEUES.map((name) => [name, queue(name)])) as Record<QueueName, WorkQueue>,
    tracker,
    events: new EventRecorder({ client, controller: REPORTING_CONTROLLER, instance: identity, log }),
    status: new StatusWriter({ client, fieldManager: STATUS_FIELD_MANAGER, tracker, registry }),
    identity: new Identity({
      store: new AuthorityStore({ client, namespace, now: () => new Date(clock.now()) }),
      clock,
      registry,
      log,
    }),
  };
}

export interface ControllerSettings {
  reconcile: (key: Key, context: ReconcileContext) => Promise<ReconcileResult | undefined>;
  concurrency?: number;
  /** Runs before each reconcile, for example to load what the previous leader granted. */
  before?: (signal: AbortSignal) => Promise<void>;
  /** Whether to wait until the cache shows the last writes made for this key. */
  waitsForOwnWrites?: boolean;
}

/** Creates the controller that works on one of the queues. */
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

/** Adds the models with this UID to a queue. */
export function addModel(queue: WorkQueue, state: ClusterState, uid: string, options?: AddOptions): void {
  for (const model of state.models.store.byIndex('byUid', uid)) queue.add(keyOf(model), options);
}
