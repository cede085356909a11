/** InferencePool: a slice of accelerators with a router and a cache in front. */
import { z } from 'zod';
import { withRules } from '../values/rule.ts';
import { decimal, observedDecimal } from '../values/scalars.ts';
import {
  acceleratorSettings,
  CEL_REPLICA_ACCELERATORS,
  replicaAccelerators,
} from './accelerator-settings.ts';
import { admissionSettings } from './admission-settings.ts';
import { cacheSettings } from './cache-settings.ts';
import { dnsLabel, labelSelector } from './common.ts';
import { poolEngineSettings } from './engine-settings.ts';
import { routerSettings } from './router-settings.ts';
import { conditions, usage } from './status.ts';
import { tracingSettings } from './tracing-settings.ts';

const namespaceBudget = z.object({
  namespace: dnsLabel.describe('The namespace.'),
  monthly: decimal.describe('Budget of a month (UTC), in the currency of `accelerator.hourlyCost`.'),
  warnPercent: z
    .int()
    .min(1)
    .max(100)
    .optional()
    .describe('Used share of the budget from which on models of the namespace get a warning. Default: 80.'),
  action: z
    .enum(['Warn', 'Stop'])
    .optional()
    .describe(
      'What happens when the budget is used up. `Warn` (default): models of the namespace get a condition. `Stop`: models of the namespace release their accelerators, and requests get 402, until the next month or until the budget is raised.',
    ),
});

const capacity = z.object({
  accelerators: z
    .int()
    .min(0)
    .max(100000)
    .optional()
    .describe('Budget: number of accelerators that the pool may use at once. If unset, there is no limit.'),
  namespaceQuotas: z
    .array(
      z.object({
        namespace: dnsLabel.describe('The namespace.'),
        accelerators: z
          .int()
          .min(0)
          .max(100000)
          .describe('Number of accelerators that models of the namespace may use at once.'),
      }),
    )
    .max(256)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['namespace'] })
    .optional()
    .describe('Quotas of namespaces. A namespace without a quota is limited only by the budget.'),
  namespaceBudgets: z
    .array(namespaceBudget)
    .max(256)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['namespace'] })
    .optional()
    .describe('Money that namespaces may spend in this pool in a month. Needs `accelerator.hourlyCost`.'),
  modelsPerNamespace: z
    .int()
    .min(1)
    .max(5000)
    .default(250)
    .describe(
      'Number of models that a namespace may have in the pool, including sleeping and suspended ones.',
    ),
  overcommit: z
    .boolean()
    .default(false)
    .describe(
      'false: accepted models are charged for their maximum of replicas. true: they are charged for running replicas, and priority decides which models wake.',
    ),
});

const allowedNamespaces = withRules(
  z.object({
    from: z
      .enum(['Same', 'All', 'Selector'])
      .default('Same')
      .describe('`Same`: only the namespace of the pool. `Selector`: namespaces that match `selector`.'),
    selector: labelSelector.optional().describe('Labels of namespaces, with `from: Selector`.'),
  }),
  [
    {
      rule: "(self.from == 'Selector') == has(self.selector)",
      problem: 'from: Selector requires selector, and the other way round',
      remedy: 'set both, or remove selector',
      fieldPath: '.selector',
      holds: (self) => (self.from === 'Selector') === (self.selector !== undefined),
    },
  ],
);

const celSize = (field: string) => `(has(self.engine.${field}) ? self.engine.${field} : 1)`;

export const inferencePoolSpec = withRules(
  z.object({
    accelerator: acceleratorSettings.describe('The accelerators of one replica.'),
    capacity: capacity.prefault({}).describe('Limits of accelerators and models.'),
    allowedNamespaces: allowedNamespaces
      // Complete, because the API server checks a default against the rules before it fills in nested defaults.
      .prefault({ from: 'Same' })
      .describe('Namespaces whose models may refer to this pool.'),
    engine: poolEngineSettings.optional().describe('Engine settings that the models of the pool inherit.'),
    router: routerSettings.prefault({}).describe('The router in front of the models.'),
    responseCache: cacheSettings.prefault({}).describe('The cache of responses, shared by the routers.'),
    admission: admissionSettings.prefault({}).describe('What happens to requests that have to wait.'),
    tracing: tracingSettings
      .optional()
      .describe('Traces of requests, by routers and engines. If unset, there are none.'),
    userIds: z
      .enum(['Fixed', 'Platform'])
      .default('Fixed')
      .describe(
        'What sets user and group IDs of engines, routers and Redis. `Fixed`: the operator, to match the images. `Platform`: the platform, for example OpenShift with the SCC restricted-v2.',
      ),
  }),
  [
    {
      rule: '!has(self.capacity.namespaceBudgets) || size(self.capacity.namespaceBudgets) == 0 || has(self.accelerator.hourlyCost)',
      problem: 'budgets of money need a price',
      remedy: 'set accelerator.hourlyCost, or remove capacity.namespaceBudgets',
      fieldPath: '.capacity.namespaceBudgets',
      holds: ({ capacity, accelerator }) =>
        (capacity.namespaceBudgets ?? []).length === 0 || accelerator.hourlyCost !== undefined,
    },
    {
      rule: `!has(self.engine) || ${['tensorParallelSize', 'pipelineParallelSize', 'dataParallelSize'].map(celSize).join(' * ')} <= ${CEL_REPLICA_ACCELERATORS}`,
      problem:
        'tensorParallelSize * pipelineParallelSize * dataParallelSize exceeds the accelerators of a replica',
      remedy: 'lower the sizes, or use more accelerators in accelerator.type',
      fieldPath: '.engine',
      holds: ({ engine, accelerator }) =>
        engine === undefined ||
        (engine.tensorParallelSize ?? 1) *
          (engine.pipelineParallelSize ?? 1) *
          (engine.dataParallelSize ?? 1) <=
          replicaAccelerators(accelerator),
    },
  ],
);

export const inferencePoolStatus = z.object({
  observedGeneration: z
    .int()
    .min(0)
    .optional()
    .describe('Generation of the spec that this status describes.'),
  conditions: conditions.optional().describe('Conditions of the pool.'),
  url: z.string().max(2048).optional().describe('Base URL of the OpenAI API inside the cluster.'),
  models: z.int().min(0).optional().describe('Number of models that the pool has accepted.'),
  accelerators: z.int().min(0).optional().describe('Number of accelerators that engine pods use.'),
  routerReplicas: z.int().min(0).optional().describe('Number of router pods.'),
  readyRouterReplicas: z.int().min(0).optional().describe('Number of ready router pods.'),
  hourlyCost: observedDecimal.optional().describe('Price of the used accelerators, per hour.'),
  usage: usage
    .optional()
    .describe('What all models used. Updated at most once a minute, and not while nothing is used.'),
});

export type InferencePoolSpec = z.infer<typeof inferencePoolSpec>;
export type InferencePoolStatus = z.infer<typeof inferencePoolStatus>;
