/** The nginx router in front of a pool's models. */
import { z } from 'zod';
import { withRules } from '../values/rule.ts';
import { duration, quantity } from '../values/scalars.ts';
import { objectName, stringMap } from './common.ts';
import { corsSettings } from './cors-settings.ts';
import { PLATFORM_POD } from './platform-pod.ts';

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

const autoscaling = withRules(
  z.object({
    mode: z
      .enum(['HPA', 'External'])
      .default('HPA')
      .describe(
        '`HPA`: a HorizontalPodAutoscaler that the operator creates. `External`: something else, such as KEDA, scales the Deployment `<pool>-router`.',
      ),
    minReplicas: z.int().min(1).max(64).default(2).describe('Smallest number of router pods.'),
    maxReplicas: z.int().min(1).max(64).describe('Largest number of router pods.'),
    targetCPUUtilization: z
      .int()
      .min(1)
      .max(1000)
      .default(70)
      .describe('CPU that routers use on average, in percent of their CPU request.'),
  }),
  [
    {
      rule: 'self.minReplicas <= self.maxReplicas',
      problem: 'minReplicas is above maxReplicas',
      remedy: 'lower minReplicas or raise maxReplicas',
      fieldPath: '.minReplicas',
      holds: (self) => self.minReplicas <= self.maxReplicas,
    },
  ],
);

export const routerSettings = z.object({
  replicas: z.int().min(1).max(64).default(2).describe('Number of router pods. Not used with `autoscaling`.'),
  autoscaling: autoscaling
    .optional()
    .describe('Scales the routers by their load. If unset, there are `replicas`.'),
  image: z
    .string()
    .min(1)
    .max(512)
    .optional()
    .describe("Router image. Default: that of the operator's version."),
  ...PLATFORM_POD,
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
