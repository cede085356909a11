/** Checks of router and Redis pods that the schema cannot express. */
import { posix } from 'node:path';
import type { InferencePoolSpec } from '../api/inference-pool.ts';
import type { PlatformPod } from '../api/platform-pod.ts';
import type { SpecIssue } from '../values/spec-issue.ts';

/** Directories of the router container. All but `state` are read-only. */
export const ROUTER_PATHS = {
  config: '/etc/vllm-router',
  state: '/var/lib/vllm-router',
  snapshot: '/etc/vllm-router-snapshot',
  tls: '/etc/vllm-router-tls',
  redis: '/etc/vllm-router-redis',
} as const;

/** Variables of the router container that the operator sets, from fields of the pod. */
export const ROUTER_VARIABLES = {
  POD_IP: 'status.podIP',
  POD_NAME: 'metadata.name',
  POD_NAMESPACE: 'metadata.namespace',
} as const;

/** Directories of the Redis container. */
export const REDIS_PATHS = { config: '/etc/redis' } as const;

interface OwnParts {
  /** Paths of the operator's volumes by name. */
  paths: Readonly<Record<string, string>>;
  variables: Readonly<Record<string, string>>;
}

/** Issues of volumes, mounts and variables of routers and Redis. */
export function checkPlatformPods({ router, responseCache }: InferencePoolSpec): SpecIssue[] {
  const managed = responseCache.redis?.managed;
  return [
    ...checkPod(router, 'spec.router', { paths: ROUTER_PATHS, variables: ROUTER_VARIABLES }),
    ...(managed
      ? checkPod(managed, 'spec.responseCache.redis.managed', { paths: REDIS_PATHS, variables: {} })
      : []),
  ];
}

function checkPod(pod: PlatformPod, field: string, { paths, variables }: OwnParts): SpecIssue[] {
  const names = (pod.volumes ?? []).map(({ name }) => name);
  const taken = Object.values(paths);
  const reserved = Object.keys(paths).join(', ');
  return [
    ...names.flatMap((name, at): SpecIssue[] => {
      if (typeof name === 'string' && !Object.hasOwn(paths, name) && names.indexOf(name) === at) return [];
      const reason = `the name must be unique, and ${reserved} are reserved`;
      return [{ field: `${field}.volumes[${at}].name`, value: name, reason, remedy: 'choose another name' }];
    }),
    ...(pod.volumeMounts ?? []).flatMap((mount, at): SpecIssue[] => {
      const place = `${field}.volumeMounts[${at}]`;
      const path = typeof mount.mountPath === 'string' ? posix.resolve('/', mount.mountPath) : '/';
      if (taken.some((own) => own === path || own.startsWith(path === '/' ? path : `${path}/`))) {
        const reason = 'the path is missing, or hides files of the operator';
        return [
          { field: `${place}.mountPath`, value: mount.mountPath, reason, remedy: 'choose another path' },
        ];
      }
      if (names.includes(mount.name)) return [];
      const reason = 'there is no volume with this name';
      return [{ field: `${place}.name`, value: mount.name, reason, remedy: `add it to ${field}.volumes` }];
    }),
    ...(pod.env ?? []).flatMap(({ name }, at): SpecIssue[] => {
      if (!Object.hasOwn(variables, name)) return [];
      const reason = 'the operator sets this variable';
      return [{ field: `${field}.env[${at}].name`, value: name, reason, remedy: 'remove it' }];
    }),
  ];
}
