/** What a pool may change in its router and Redis pods. */
import { z } from 'zod';
import { envVars, opaque } from './common.ts';
import { POD_SETTINGS } from './pod-settings.ts';

const opaqueList = (max: number) => z.array(opaque).max(max).meta({ 'x-kubernetes-list-type': 'atomic' });

/** Fields to spread into the settings of routers and Redis. */
export const PLATFORM_POD = {
  ...POD_SETTINGS,
  env: envVars.optional().describe('Additional environment variables.'),
  volumes: opaqueList(16).optional().describe('Additional volumes, as in a Pod.'),
  volumeMounts: opaqueList(16)
    .optional()
    .describe('Mounts of the container, as in a Pod, of the volumes in `volumes`.'),
} as const;

const platformPod = z.object(PLATFORM_POD);
export type PlatformPod = z.infer<typeof platformPod>;
