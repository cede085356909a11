/** What a model may change in its engine pods. operator/api/pod-fields.ts covers every field of a Pod. */
import { z } from 'zod';
import { withRules } from '../values/rule.ts';
import { envVars, objectName, opaque } from './common.ts';
import { POD_SETTINGS } from './pod-settings.ts';

const environmentSource = z.object({
  name: objectName.describe('Name of the object.'),
  optional: z.boolean().optional().describe('Whether pods may start without it.'),
});

const envFrom = withRules(
  z.object({
    prefix: z
      .string()
      .max(253)
      .regex(/^[A-Za-z_][A-Za-z0-9_.-]*$/)
      .optional()
      .describe('Prefix of every variable name.'),
    secretRef: environmentSource.optional().describe('A Secret.'),
    configMapRef: environmentSource.optional().describe('A ConfigMap.'),
  }),
  [
    {
      rule: 'has(self.secretRef) != has(self.configMapRef)',
      problem: 'exactly one of secretRef and configMapRef is required',
      remedy: 'keep one of them, and add a second item for the other',
      holds: (self) => (self.secretRef !== undefined) !== (self.configMapRef !== undefined),
    },
  ],
);

const opaqueList = (max: number) => z.array(opaque).max(max).meta({ 'x-kubernetes-list-type': 'atomic' });

export const podTemplate = z.object({
  ...POD_SETTINGS,
  env: envVars.optional().describe('Environment variables. They override those of `engine.env`.'),
  envFrom: z
    .array(envFrom)
    .max(16)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .optional()
    .describe('Secrets and ConfigMaps whose keys become environment variables. `env` overrides them.'),
  volumes: opaqueList(32).optional().describe('Additional volumes, as in a Pod.'),
  volumeMounts: opaqueList(32)
    .optional()
    .describe(
      'Mounts of the engine container, as in a Pod. A mount at /dev/shm or /tmp replaces the volume of the operator.',
    ),
  initContainers: opaqueList(8)
    .optional()
    .describe(
      'Containers that run before the engine, as in a Pod, or as a sidecar with `restartPolicy: Always`. They may mount `home`, `tmp` and the volumes of the template.',
    ),
  serviceAccountName: objectName
    .optional()
    .describe(
      'ServiceAccount of the pods. Default: one without permissions or token that the operator creates.',
    ),
  automountServiceAccountToken: z
    .boolean()
    .optional()
    .describe('Whether the token of the ServiceAccount is mounted. Default false.'),
});
