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
    .describe('Host name of the router.'),
  tlsSecretName: objectName
    .optional()
    .describe('kubernetes.io/tls Secret of the Ingress. If unset, plain HTTP.'),
  annotations: stringMap.optional().describe('Annotations of the Ingress, for its controller.'),
});

export const routerSettings = z.object({
  replicas: z.int().min(1).max(64).default(2).describe('Number of router pods.'),
  image: z
    .string()
    .min(1)
    .max(512)
    .optional()
    .describe("Router image. Default: that of the operator's version."),
  ...POD_SETTINGS,
  service: service.prefault({}).describe('How the router is reached.'),
  ingress: ingress.optional().describe('Ingress to the router. If unset, there is none.'),
  tls: z
    .object({ secretName: objectName.describe('Name of the Secret, in the namespace of the pool.') })
    .optional()
    .describe('Serve HTTPS with this kubernetes.io/tls Secret.'),
  maxBodySize: quantity.default('32Mi').describe('Larger request bodies are rejected with 413.'),
  readTimeout: duration.default('10m').describe('How long the router waits for data from an engine.'),
  loadBalancing: z
    .enum(['PrefixAffinity', 'LeastRequests'])
    .default('PrefixAffinity')
    .describe(
      '`PrefixAffinity`: conversations return to the engine that has their prefix cached. `LeastRequests`: the engine with the fewest requests in flight.',
    ),
  auth: z
    .object({
      mode: z
        .enum(['None', 'APIKey'])
        .default('None')
        .describe(
          '`APIKey`: requests need a key whose hash is in a ConfigMap with the label vllm-operator.dev/api-keys.',
        ),
    })
    .prefault({})
    .describe('Who may send requests.'),
  cors: corsSettings
    .optional()
    .describe(
      'Which web pages may use the router from a browser. If unset, CORS headers of the engines are passed on.',
    ),
});
