/** Pod fields that users may set, for engines, routers and Redis. */
import type { PodSettings } from '../api/pod-settings.ts';
import type { InferencePool } from '../api/types.ts';
import { type ImageDefaults, pullSecretsOf } from './image-defaults.ts';
import type { Labels } from './labels.ts';
import { type PodIdentity, podSecurity } from './pod-security.ts';

/** Metadata of a pod template. Labels of the operator take precedence. */
export function podMetadata(settings: PodSettings | undefined, labels: Labels): object {
  const { annotations } = settings ?? {};
  return {
    labels: { ...settings?.labels, ...labels },
    ...(annotations === undefined ? {} : { annotations }),
  };
}

/** Topology spread constraints: the user's, or by default over zones and hosts where possible. */
function spread(settings: PodSettings | undefined, selector: Labels): object[] {
  const labelSelector = { matchLabels: selector };
  const own = settings?.topologySpreadConstraints;
  if (own !== undefined) return own.map((constraint) => ({ labelSelector, ...constraint }));
  return ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'].map((topologyKey) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector,
  }));
}

const COPIED = [
  'nodeSelector',
  'tolerations',
  'affinity',
  'priorityClassName',
  'runtimeClassName',
  'schedulerName',
  'hostAliases',
  'dnsPolicy',
  'dnsConfig',
  'hostUsers',
] as const satisfies (keyof PodSettings)[];

/** The pod spec fields that result from the settings, the pool's user IDs, the selector and the operator's options. */
export function podFields(
  pool: InferencePool,
  settings: PodSettings | undefined,
  identity: PodIdentity,
  selector: Labels,
  images: ImageDefaults = {},
): Record<string, unknown> {
  const copied = COPIED.flatMap((field) => {
    const value = settings?.[field];
    return value === undefined ? [] : [[field, value] as const];
  });
  const constraints = spread(settings, selector);
  const { supplementalGroups = [] } = identity;
  const chosen = pool.spec.userIds === 'Platform' ? { supplementalGroups } : identity;
  return {
    securityContext: podSecurity(chosen, settings?.securityContext),
    ...(constraints.length === 0 ? {} : { topologySpreadConstraints: constraints }),
    ...Object.fromEntries(copied),
    ...pullSecretsOf(settings, images),
  };
}

/** The container fields that result from the settings. */
export function containerFields(settings: PodSettings | undefined): object {
  const { imagePullPolicy } = settings ?? {};
  return imagePullPolicy === undefined ? {} : { imagePullPolicy };
}
