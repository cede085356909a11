/** The Redis of a pool's response cache. */
import type { InferencePool } from '../api/types.ts';
import { canonicalQuantity } from '../values/quantity.ts';
import { fromRegistry, type ImageDefaults } from './image-defaults.ts';
import { poolLabels, poolSelector } from './labels.ts';
import { child, type Manifest } from './manifest.ts';
import { redisName } from './names.ts';
import { podsIn, tcp } from './network-peers.ts';
import { CONTAINER_SECURITY } from './pod-security.ts';
import { containerFields, podFields, podMetadata } from './pod-settings.ts';
import { cacheBytes, REDIS_CONFIG_PATH, REDIS_PORT, renderRedisConfig } from './redis-config.ts';
import { mergeResources } from './resources.ts';
import { renderServiceAccount } from './service-account.ts';
import { storedVolume } from './stored-form.ts';

const DEFAULT_REDIS_IMAGE = 'docker.io/library/redis:7.4.11';

/** User and group `redis` of the official image. */
const REDIS_USER = 999;

/** Whether the operator runs a Redis for the pool. */
export function hasManagedRedis(pool: InferencePool): boolean {
  const cache = pool.spec.responseCache;
  return cache.enabled && cache.redis?.external === undefined;
}

function renderDeployment(pool: InferencePool, configMap: string, images: ImageDefaults): Manifest {
  const name = redisName(pool.metadata.name);
  const labels = poolLabels('cache', pool.metadata);
  const selector = poolSelector('cache', pool.metadata);
  const managed = pool.spec.responseCache.redis?.managed;
  // There is only one pod to schedule.
  const settings = { topologySpreadConstraints: [], ...managed };
  // A quarter on top of the entries for fragmentation, plus memory for connections and the process.
  const memory = canonicalQuantity(`${Math.ceil((cacheBytes(pool) * 1.25) / 2 ** 20) + 64}Mi`);
  const probe = (periodSeconds: number): object => ({ tcpSocket: { port: 'redis' }, periodSeconds });
  return child(
    pool,
    { apiVersion: 'apps/v1', kind: 'Deployment' },
    { name, labels },
    {
      spec: {
        replicas: 1,
        selector: { matchLabels: selector },
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
        revisionHistoryLimit: 3,
        template: {
          metadata: podMetadata(managed, labels),
          spec: {
            serviceAccountName: name,
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            ...podFields(pool, settings, { user: REDIS_USER, group: REDIS_USER }, selector, images),
            terminationGracePeriodSeconds: 10,
            containers: [
              {
                name: 'redis',
                image: managed?.image ?? images.redis ?? fromRegistry(DEFAULT_REDIS_IMAGE, images),
                ...containerFields(managed),
                command: ['redis-server', `${REDIS_CONFIG_PATH}/redis.conf`],
                ports: [{ name: 'redis', containerPort: REDIS_PORT, protocol: 'TCP' }],
                resources: mergeResources(
                  { requests: { cpu: '100m', memory }, limits: { memory } },
                  managed?.resources,
                ),
                readinessProbe: probe(2),
                livenessProbe: probe(10),
                terminationMessagePolicy: 'FallbackToLogsOnError',
                securityContext: CONTAINER_SECURITY,
                ...(managed?.env && { env: managed.env }),
                volumeMounts: [
                  { name: 'config', mountPath: REDIS_CONFIG_PATH, readOnly: true },
                  ...(managed?.volumeMounts ?? []),
                ],
              },
            ],
            volumes: [
              { name: 'config', configMap: { name: configMap } },
              ...(managed?.volumes ?? []).map(storedVolume),
            ],
          },
        },
      },
    },
  );
}

function renderService(pool: InferencePool): Manifest {
  return child(
    pool,
    { apiVersion: 'v1', kind: 'Service' },
    { name: redisName(pool.metadata.name), labels: poolLabels('cache', pool.metadata) },
    {
      spec: {
        type: 'ClusterIP',
        selector: poolSelector('cache', pool.metadata),
        ports: [{ name: 'redis', port: REDIS_PORT, targetPort: 'redis', protocol: 'TCP' }],
      },
    },
  );
}

/** Ingress: the pool's routers. Egress: none. */
function renderNetworkPolicy(pool: InferencePool): Manifest {
  const routers = podsIn(pool.metadata.namespace ?? 'default', poolSelector('router', pool.metadata));
  return child(
    pool,
    { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' },
    { name: redisName(pool.metadata.name), labels: poolLabels('cache', pool.metadata) },
    {
      spec: {
        podSelector: { matchLabels: poolSelector('cache', pool.metadata) },
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{ from: [routers], ports: tcp(REDIS_PORT) }],
        egress: [],
      },
    },
  );
}

/** All objects of a pool's Redis, in apply order. */
export function renderRedis(
  pool: InferencePool,
  passwordSha256: string,
  images: ImageDefaults = {},
): Manifest[] {
  const config = renderRedisConfig(pool, passwordSha256);
  const name = redisName(pool.metadata.name);
  return [
    renderServiceAccount(pool, name, poolLabels('cache', pool.metadata)),
    config,
    renderNetworkPolicy(pool),
    renderService(pool),
    renderDeployment(pool, config.metadata.name, images),
  ];
}
