/** Which accelerators the replicas of a pool get, and where their pods run. */
import { z } from 'zod';
import { withRules } from '../values/rule.ts';
import { decimal } from '../values/scalars.ts';
import { ACCELERATOR_PRODUCTS, ACCELERATORS } from '../vllm/accelerators.ts';
import { labelMap, objectName, toleration } from './common.ts';
import { CEL_IS_NATIVE, isNative, supplementalGroups } from './pod-settings.ts';

/** A pattern like `(x[1-8])?` for the count of a product on one node. */
function counts(most: number): string {
  return most < 10 ? `(x[1-${most}])?` : `(x([1-9]|1[0-${most - 10}]))?`;
}

/** A pattern like `A|B(x[1-8])?`: the products grouped by their maximum per node. */
function typePattern(): string {
  const bySize = Map.groupBy(ACCELERATOR_PRODUCTS, (product) => ACCELERATORS[product].maxPerNode);
  const types = [...bySize].map(([most, products]) => `(${products.join('|')})${counts(most)}`);
  return `^(custom|CPU|${types.join('|')})$`;
}

const TYPE_PATTERN = typePattern();
const TYPE = new RegExp(TYPE_PATTERN);
const LARGE_NODES = ACCELERATOR_PRODUCTS.filter((product) => ACCELERATORS[product].maxPerNode > 8);
const TYPE_REMEDY = `use ${ACCELERATOR_PRODUCTS.join(', ')}, each with an optional x1 to x8 such as H100x4 (${LARGE_NODES.map((product) => `${product}: to x${ACCELERATORS[product].maxPerNode}`).join(', ')}), CPU, or custom with accelerator.custom`;

const acceleratorType = withRules(z.string().min(1).max(32), [
  {
    rule: `self.matches('${TYPE_PATTERN}')`,
    problem: 'unknown accelerator',
    remedy: TYPE_REMEDY,
    messageExpression: `"unknown accelerator '" + self + "': ${TYPE_REMEDY}"`,
    holds: (self) => TYPE.test(self),
    explain: (self) => ({ problem: `unknown accelerator '${self}'`, remedy: TYPE_REMEDY }),
  },
]);

const customAccelerator = z.object({
  resourceName: z
    .string()
    .min(1)
    .max(253)
    .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/)
    .describe('Extended resource that a pod requests, such as `nvidia.com/mig-3g.40gb`.'),
  count: z.int().min(1).max(64).describe('Number of accelerators per replica.'),
  memoryGiB: z.int().min(1).max(4096).describe('Memory of one accelerator.'),
  product: z.string().min(1).max(63).optional().describe('Value of the node label `nvidia.com/gpu.product`.'),
});

const extendedResources = withRules(
  z
    .record(
      z.string().max(253),
      z
        .string()
        .max(6)
        .regex(/^[1-9][0-9]{0,5}$/),
    )
    .meta({ maxProperties: 8 }),
  [
    {
      rule: `self.all(key, !${CEL_IS_NATIVE})`,
      problem: 'an extended resource needs a domain in its name',
      remedy: 'use a name such as rdma/hca_shared; CPU and memory are in template.resources of a model',
      holds: (self) => !Object.keys(self).some(isNative),
    },
  ],
);

const cpuReplica = z.object({
  cores: z.int().min(1).max(512).default(4).describe('CPU cores that a replica requests and uses.'),
  memoryGiB: z
    .int()
    .min(4)
    .max(4096)
    .default(16)
    .describe('Memory of a replica for weights, KV cache, and about 3 GiB for vLLM itself.'),
});

export const acceleratorSettings = withRules(
  z.object({
    type: acceleratorType.describe(
      `\`<product>[x<count>]\`: the accelerators of one replica, such as \`A100\`, \`H100x4\`, \`H100x8\`; \`custom\`; or \`CPU\` for none. Products: ${ACCELERATOR_PRODUCTS.join(', ')}.`,
    ),
    cpu: cpuReplica
      .optional()
      .describe('Cores and memory of one replica, with `type: CPU`. Each replica counts as one accelerator.'),
    custom: customAccelerator
      .optional()
      .describe('An accelerator that is not in the catalog, with `type: custom`.'),
    nodeSelector: labelMap
      .optional()
      .describe('Labels of nodes for the engine pods. Replaces the node affinity of the catalog.'),
    tolerations: z
      .array(toleration)
      .max(32)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional()
      .describe('Taints that the engine pods tolerate.'),
    runtimeClassName: objectName.optional().describe('RuntimeClass of the engine pods, such as `nvidia`.'),
    priorityClassName: objectName
      .optional()
      .describe('PriorityClass of the engine pods. If set, models cannot override it.'),
    supplementalGroups: supplementalGroups
      .optional()
      .describe(
        "Group IDs that own the device files on the nodes, added to the engines. Default for AMD: 44 and 109, Ubuntu's `video` and `render`.",
      ),
    resources: extendedResources
      .optional()
      .describe('Additional extended resources of one replica, such as `rdma/hca_shared: "1"`.'),
    hourlyCost: decimal.optional().describe('Price of one accelerator-hour, in any currency.'),
    spotHourlyCost: decimal
      .optional()
      .describe(
        'Price of one accelerator-hour on spot nodes of GKE, AKS, EKS and Karpenter, which their labels tell. Needs `spot: true`, without which nodes are not read. Default: `hourlyCost`.',
      ),
    spot: z
      .boolean()
      .optional()
      .describe(
        'Whether the pool uses spot nodes. If so, engines tolerate their taints and are replaced when an eviction notice appears.',
      ),
  }),
  [
    {
      rule: "(self.type == 'custom') == has(self.custom)",
      problem: 'type custom requires the field custom, and the other way round',
      remedy: 'set both, or set type to a product of the catalog and remove custom',
      fieldPath: '.custom',
      holds: (self) => (self.type === 'custom') === (self.custom !== undefined),
    },
    {
      rule: '!has(self.spotHourlyCost) || (has(self.hourlyCost) && has(self.spot) && self.spot)',
      problem: 'spotHourlyCost requires spot: true and hourlyCost',
      remedy: 'set both, or remove spotHourlyCost',
      fieldPath: '.spotHourlyCost',
      holds: (self) =>
        self.spotHourlyCost === undefined || (self.hourlyCost !== undefined && self.spot === true),
    },
    {
      rule: "!has(self.cpu) || self.type == 'CPU'",
      problem: 'cpu requires type CPU',
      remedy: 'remove it, or set type to CPU',
      fieldPath: '.cpu',
      reason: 'FieldValueForbidden',
      holds: (self) => self.cpu === undefined || self.type === 'CPU',
    },
  ],
);

/** Number of accelerators per replica; 1 if the type does not contain it. Another rule rejects unknown types. */
export function replicaAccelerators(accelerator: {
  type: string;
  custom?: { count: number } | undefined;
}): number {
  if (accelerator.custom !== undefined) return accelerator.custom.count;
  return Number(/^[^x]+x([0-9]{1,3})$/.exec(accelerator.type)?.[1] ?? 1);
}

/** The same in CEL, over the spec of a pool. */
export const CEL_REPLICA_ACCELERATORS =
  '(has(self.accelerator.custom) ? self.accelerator.custom.count : ' +
  "(self.accelerator.type.matches('^[^x]+x[0-9]{1,3}$') ? int(self.accelerator.type.split('x')[1]) : 1))";
