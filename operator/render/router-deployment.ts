import type { InferencePool } from '../api/types.ts';
import { ROUTER_PATHS, ROUTER_VARIABLES } from '../model/platform-pod-checks.ts';
import { routerDrainSeconds } from '../model/router-drain.ts';
import { ROUTER_MEMORY_LIMIT, routerStateSize } from '../model/router-memory.ts';
import { ROUTER_PORTS } from '../model/router-ports.ts';
import { fromRegistry } from './image-defaults.ts';
import { poolLabels, poolSelector } from './labels.ts';
import { type Cluster, child, type Manifest, OPERATOR_VERSION } from './manifest.ts';
import { routerName, routeSnapshotName } from './names.ts';
import { CONTAINER_SECURITY } from './pod-security.ts';
import { containerFields, podFields, podMetadata } from './pod-settings.ts';
import { mergeResources } from './resources.ts';
import { storedVolume } from './stored-form.ts';

/** A user ID that no image defines. The routers do not need a user name. */
const ROUTER_USER = 65532;

/** Time for load balancers and proxies to notice that a router terminates (start.sh). */
const LEAVE_SECONDS = 10;

interface RouterVolume {
  name: string;
  mountPath: string;
  source: Record<string, unknown>;
  writable?: boolean;
}

function volumesOf(pool: InferencePool, configMap: string): RouterVolume[] {
  const tls = pool.spec.router.tls;
  const redis = pool.spec.responseCache.redis?.external?.secretRef;
  const snapshot = { name: routeSnapshotName(pool.metadata.name), optional: true };
  return [
    { name: 'config', mountPath: ROUTER_PATHS.config, source: { configMap: { name: configMap } } },
    {
      name: 'state',
      mountPath: ROUTER_PATHS.state,
      source: { emptyDir: { medium: 'Memory', sizeLimit: routerStateSize(pool) } },
      writable: true,
    },
    { name: 'snapshot', mountPath: ROUTER_PATHS.snapshot, source: { configMap: snapshot } },
    ...(tls === undefined
      ? []
      : [{ name: 'tls', mountPath: ROUTER_PATHS.tls, source: { secret: { secretName: tls.secretName } } }]),
    ...(redis === undefined
      ? []
      : [
          {
            name: 'redis',
            mountPath: ROUTER_PATHS.redis,
            source: {
              projected: {
                sources: [
                  { secret: { name: redis.name, items: [{ key: redis.key, path: 'url' }] } },
                  // For rediss:// with a private CA.
                  {
                    secret: { name: redis.name, optional: true, items: [{ key: 'ca.crt', path: 'ca.crt' }] },
                  },
                ],
              },
            },
          },
        ]),
  ];
}

function container(pool: InferencePool, cluster: Cluster, volumes: readonly RouterVolume[]): object {
  const { router } = pool.spec;
  const { operatorVersion = OPERATOR_VERSION, images = {} } = cluster;
  const own = fromRegistry(`ghcr.io/vllm-operator/router:${operatorVersion}`, images);
  const probe = (path: string, periodSeconds: number): object => ({
    httpGet: { path, port: 'metrics' },
    periodSeconds,
    timeoutSeconds: 2,
    failureThreshold: 3,
  });
  return {
    name: 'router',
    image: router.image ?? images.router ?? own,
    ...containerFields(router),
    command: ['/bin/sh', `${ROUTER_PATHS.config}/start.sh`],
    ports: Object.entries(ROUTER_PORTS).map(([name, port]) => ({
      name,
      containerPort: port,
      protocol: 'TCP',
    })),
    env: [
      ...Object.entries(ROUTER_VARIABLES).map(([name, fieldPath]) => ({
        name,
        valueFrom: { fieldRef: { fieldPath } },
      })),
      ...(router.env ?? []),
    ],
    // The state volume is in memory, and large request bodies may pass through it.
    resources: mergeResources(
      { requests: { cpu: '500m', memory: '256Mi' }, limits: { memory: ROUTER_MEMORY_LIMIT } },
      router.resources,
    ),
    // A router becomes ready once it has a route table, so it gets no traffic before.
    readinessProbe: probe('/readyz', 2),
    livenessProbe: probe('/healthz', 10),
    terminationMessagePolicy: 'FallbackToLogsOnError',
    securityContext: CONTAINER_SECURITY,
    volumeMounts: [
      ...volumes.map(({ name, mountPath, writable }) => ({
        name,
        mountPath,
        ...(writable === true ? {} : { readOnly: true }),
      })),
      ...(router.volumeMounts ?? []),
    ],
  };
}

/**
 * The routers of a pool. A terminating router first finishes its streams and the requests that it holds. With autoscaling, the
 * number of replicas is left out of a Deployment that exists.
 */
export function renderRouterDeployment(
  pool: InferencePool,
  cluster: Cluster,
  { configMap, exists }: { configMap: string; exists: boolean },
): Manifest {
  const { autoscaling, replicas } = pool.spec.router;
  const name = routerName(pool.metadata.name);
  const labels = poolLabels('router', pool.metadata);
  const selector = poolSelector('router', pool.metadata);
  const volumes = volumesOf(pool, configMap);
  return child(
    pool,
    { apiVersion: 'apps/v1', kind: 'Deployment' },
    { name, labels },
    {
      spec: {
        ...(autoscaling && exists ? {} : { replicas: autoscaling?.minReplicas ?? replicas }),
        selector: { matchLabels: selector },
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
        revisionHistoryLimit: 3,
        template: {
          metadata: podMetadata(pool.spec.router, labels),
          spec: {
            serviceAccountName: name,
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            ...podFields(
              pool,
              pool.spec.router,
              { user: ROUTER_USER, group: ROUTER_USER },
              selector,
              cluster.images,
            ),
            terminationGracePeriodSeconds: LEAVE_SECONDS + routerDrainSeconds(pool) + 15,
            containers: [container(pool, cluster, volumes)],
            volumes: [
              ...volumes.map((volume) => ({ name: volume.name, ...volume.source })),
              ...(pool.spec.router.volumes ?? []).map(storedVolume),
            ],
          },
        },
      },
    },
  );
}
