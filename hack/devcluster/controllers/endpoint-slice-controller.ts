import { isDeepStrictEqual } from 'node:util';
import { Controller } from '../../../operator/kube/controller.ts';
import { isKubeError } from '../../../operator/kube/errors.ts';
import { keyOf } from '../../../operator/kube/key.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { ENDPOINT_SLICES } from '../../../operator/kube/resource-types.ts';
import { matchesSelector } from '../../../operator/values/label-selector.ts';
import {
  type Endpoint,
  type EndpointPort,
  type EndpointSlice,
  type Pod,
  SERVICE_NAME_LABEL,
  type Service,
} from '../kinds.ts';
import { isFinished, isReady } from '../node/pod.ts';
import type { ControllerContext } from './controller-context.ts';
import { PendingCreates } from './pending-creates.ts';
import { unlessGone } from './unless-gone.ts';

const MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by';
const MANAGER = 'endpointslice-controller.k8s.io';
/** As kube-controller-manager's --max-endpoints-per-slice. */
const MAX_ENDPOINTS = 100;

/** Services with a selector to EndpointSlices, with the ready, serving and terminating conditions. */
export function endpointSliceController(context: ControllerContext): Controller {
  const { stores, log } = context;
  const created = new PendingCreates(stores.endpointSlices);
  const controller = new Controller({
    name: 'endpointslice',
    log,
    reconcile: unlessGone((key, { signal }) => reconcileSlices(context, created, key, signal)),
  });
  controller.watch(stores.services);
  controller.watch(stores.pods, {
    map: (pod) => servicesOf(stores.services.byIndex('byNamespace', namespaceOf(pod)), pod).map(keyOf),
    changed: (old, now) => relevant(old) !== relevant(now),
  });
  controller.watch(stores.endpointSlices, {
    map: (slice) => {
      const service = slice.metadata.labels?.[SERVICE_NAME_LABEL];
      const ours = slice.metadata.labels?.[MANAGED_BY_LABEL] === MANAGER;
      return ours && service !== undefined ? [`${slice.metadata.namespace}/${service}`] : [];
    },
  });
  return controller;
}

function namespaceOf({ metadata }: KubeObject): string {
  return metadata.namespace ?? '';
}

/** The Services that select a pod, of those in its namespace. */
function servicesOf(services: readonly Service[], pod: Pod): Service[] {
  return services.filter((service) => {
    const { selector } = service.spec;
    return selector !== undefined && matchesSelector({ matchLabels: selector }, pod.metadata.labels);
  });
}

/** The parts of a pod that determine its endpoint, as text to compare. */
function relevant(pod: Pod): string {
  const { labels, deletionTimestamp } = pod.metadata;
  return JSON.stringify([
    pod.status?.podIP,
    pod.spec.nodeName,
    isReady(pod),
    isFinished(pod),
    deletionTimestamp,
    labels,
  ]);
}

async function reconcileSlices(
  context: ControllerContext,
  created: PendingCreates<EndpointSlice>,
  key: string,
  signal: AbortSignal,
): Promise<void> {
  const { stores, client } = context;
  const service = stores.services.get(key);
  // The slices of a deleted Service are garbage-collected.
  if (!service?.spec.selector || service.spec.type === 'ExternalName' || service.metadata.deletionTimestamp)
    return;
  const existing = [...stores.endpointSlices.byIndex('byService', key), ...created.of(key)].filter(
    (slice) => slice.metadata.labels?.[MANAGED_BY_LABEL] === MANAGER,
  );
  const wanted = desiredSlices(
    service,
    stores.pods.byIndex('byNamespace', namespaceOf(service)).filter((pod) => selects(service, pod)),
  );
  // The existing slice that has most endpoints in common is updated, so that few endpoints move between slices.
  const free = new Set(existing);
  const writes: Promise<unknown>[] = [];
  for (const slice of wanted) {
    const [match] = [...free].sort((a, b) => common(b, slice) - common(a, slice));
    if (match) free.delete(match);
    if (!match) {
      const creation = client.create<EndpointSlice>(ENDPOINT_SLICES, slice, { signal });
      writes.push(creation.then((made) => created.add(key, made)));
    } else if (!unchanged(match, slice)) {
      const { metadata, endpoints, ports } = slice;
      const merge = { metadata: { labels: metadata.labels }, endpoints, ports };
      const { name, namespace = '' } = match.metadata;
      writes.push(client.patch(ENDPOINT_SLICES, { namespace, name }, { merge }, { signal }));
    }
  }
  for (const { metadata } of free) {
    const old = { namespace: metadata.namespace ?? '', name: metadata.name };
    const gone = client.delete(ENDPOINT_SLICES, old, { signal }).catch((error: unknown) => {
      if (!isKubeError(error, 'NotFound')) throw error;
    });
    writes.push(gone);
  }
  await Promise.all(writes);
}

function selects(service: Service, pod: Pod): boolean {
  return servicesOf([service], pod).length > 0 && pod.status?.podIP !== undefined && !isFinished(pod);
}

/** Pods whose named ports have different numbers are in different slices. At least one slice, if only an empty one. */
function desiredSlices(service: Service, pods: Pod[]): EndpointSlice[] {
  const groups = new Map<string, { ports: EndpointPort[]; endpoints: Endpoint[] }>();
  for (const pod of pods.sort((a, b) => a.metadata.name.localeCompare(b.metadata.name))) {
    const ports = portsFor(service, pod);
    const id = JSON.stringify(ports);
    const group = groups.get(id) ?? { ports, endpoints: [] };
    groups.set(id, group);
    group.endpoints.push(endpointOf(service, pod));
  }
  if (groups.size === 0) groups.set('', { ports: [], endpoints: [] });
  return [...groups.values()].flatMap(({ ports, endpoints }) => {
    const count = Math.max(1, Math.ceil(endpoints.length / MAX_ENDPOINTS));
    return Array.from({ length: count }, (_, i) =>
      sliceOf(service, ports, endpoints.slice(i * MAX_ENDPOINTS, (i + 1) * MAX_ENDPOINTS)),
    );
  });
}

function portsFor(service: Service, pod: Pod): EndpointPort[] {
  return (service.spec.ports ?? []).flatMap(({ name = '', protocol = 'TCP', port, targetPort = port }) => {
    const named = pod.spec.containers
      .flatMap((container) => container.ports ?? [])
      .find((p) => p.name === targetPort && (p.protocol ?? 'TCP') === protocol);
    const number = typeof targetPort === 'number' ? targetPort : named?.containerPort;
    return number === undefined ? [] : [{ name, protocol, port: number }];
  });
}

function endpointOf(service: Service, pod: Pod): Endpoint {
  const serving = service.spec.publishNotReadyAddresses ? true : isReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const { namespace = '', name, uid = '' } = pod.metadata;
  return {
    addresses: [pod.status?.podIP ?? ''],
    conditions: {
      ready: service.spec.publishNotReadyAddresses ? true : serving && !terminating,
      serving,
      terminating,
    },
    targetRef: { kind: 'Pod', namespace, name, uid },
    ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
  };
}

/** Without a name: the server makes one. */
function sliceOf(service: Service, ports: EndpointPort[], endpoints: Endpoint[]): EndpointSlice {
  const { name, namespace, uid = '', labels } = service.metadata;
  const headless = service.spec.clusterIP === 'None' ? { 'service.kubernetes.io/headless': '' } : {};
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels: { ...labels, ...headless, [MANAGED_BY_LABEL]: MANAGER, [SERVICE_NAME_LABEL]: name },
      ownerReferences: [
        { apiVersion: 'v1', kind: 'Service', name, uid, controller: true, blockOwnerDeletion: true },
      ],
    },
    addressType: 'IPv4',
    endpoints,
    ports,
  };
  return slice as unknown as EndpointSlice;
}

function unchanged(slice: EndpointSlice, wanted: EndpointSlice): boolean {
  const { labels = {} } = wanted.metadata;
  return (
    isDeepStrictEqual(slice.endpoints ?? [], wanted.endpoints) &&
    isDeepStrictEqual(slice.ports ?? [], wanted.ports) &&
    Object.entries(labels).every(([name, value]) => slice.metadata.labels?.[name] === value)
  );
}

function common(a: EndpointSlice, b: EndpointSlice): number {
  const uids = new Set(a.endpoints?.map((endpoint) => endpoint.targetRef?.uid));
  return (b.endpoints ?? []).filter((endpoint) => uids.has(endpoint.targetRef?.uid)).length;
}
