/** The nginx router in front of a pool's models. */
import { z } from 'zod';
import { duration, quantity } from '../values/scalars.ts';
import { objectName, stringMap } from './common.ts';
import { corsSettings } from './cors-settings.ts';
import { POD_SETTINGS } from './pod-settings.ts';

const service = z.object({
  type: z
    .enum(['ClusterIP', 'NodePort', 'LoadBalancer'])
    .default('ClusterIP')
    .describe('Type of the Service.'),
  port: z.int().min(1).max(65535).default(80).describe('Port of the Service.'),
  annotations: stringMap.optional().describe('Annotations of the Service, such as those of a load balancer.'),
});

const ingress = z.object({
  className: objectName.optional().describe('IngressClass. Default: that of the cluster.'),
  host: z
    .string()
    .min(1)
    .max(253)
    .regex(/^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/)
    .describe('Host name that the router answers to.'),
  tlsSecretName: objectName
    .optional()
    .describe('kubernetes.io/tls Secret of the Ingress. Unset: plain HTTP.'),
  annotations: stringMap.optional().describe('Annotations of the Ingress, for its controller.'),
});

export const routerSettings = z.object({
  replicas: z.int().min(1).max(64).default(2).describe('Router pods.'),
  image: z
    .string()
    .min(1)
    .max(512)
    .optional()
    .describe('Router image. Default: the one that belongs to the operator.'),
  ...POD_SETTINGS,
  service: service.prefault({}).describe('How the router is reached.'),
  ingress: ingress.optional().describe('An Ingress to the router. Unset: none.'),
  tls: z
    .object({ secretName: objectName.describe('Name of the Secret, in the namespace of the pool.') })
    .optional()
    .describe('Serve HTTPS with this kubernetes.io/tls Secret.'),
  maxBodySize: quantity.default('32Mi').describe('Longer request bodies are refused with 413.'),
  readTimeout: duration.default('10m').describe('Longest silence of an engine before the router gives up.'),
  loadBalancing: z
    .enum(['PrefixAffinity', 'LeastRequests'])
    .default('PrefixAffinity')
    .describe(
      '`PrefixAffinity`: conversations return to the engine that has their prefix cached. `LeastRequests`: fewest in flight.',
    ),
  auth: z
    .object({
      mode: z
        .enum(['None', 'APIKey'])
        .default('None')
        .describe(
          '`APIKey`: requests need a key that a ConfigMap labelled vllm-operator.dev/api-keys knows.',
        ),
    })
    .prefault({})
    .describe('Who may send requests.'),
  cors: corsSettings
    .optional()
    .describe(
      'Which web pages may use the router from a browser. Unset: none, but for what engines say of their answers.',
    ),
});
