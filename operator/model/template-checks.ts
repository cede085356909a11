/** Checks of pod template and cache that the schema cannot express. */
import type { InferenceModelSpec } from '../api/inference-model.ts';
import type { InferencePoolSpec } from '../api/inference-pool.ts';
import { quantityValue } from '../values/quantity.ts';
import type { SpecIssue } from '../values/spec-issue.ts';
import { GIB } from '../values/units.ts';
import { committedMemoryGiB } from './host-memory.ts';
import { checkInitContainers } from './init-container-checks.ts';
import type { MergedEngine } from './merged-engine.ts';
import type { ResolvedScaling } from './resolved-scaling.ts';
import { checkSharedClaims } from './shared-claims.ts';
import { ENGINE_HOME, mountPath, operatorVolumes } from './template-volumes.ts';

function checkVolumes(engine: MergedEngine, spec: InferenceModelSpec): SpecIssue[] {
  const template = spec.template;
  const names = (template?.volumes ?? []).map(({ name }) => name);
  const own = operatorVolumes(engine.source, template);
  const paths = new Set(own.values());
  const known = new Set<unknown>([...names, ...own.keys()]);
  return [
    ...names.flatMap((name, at): SpecIssue[] => {
      if (typeof name === 'string' && !own.has(name) && names.indexOf(name) === at) return [];
      const field = `spec.template.volumes[${at}].name`;
      const reason = `the name must be unique, and ${[...own.keys()].join(', ')} are reserved`;
      return [{ field, value: name, reason, remedy: 'choose another name' }];
    }),
    ...(template?.volumeMounts ?? []).flatMap((mount, at): SpecIssue[] => {
      const path = mountPath(mount);
      const field = `spec.template.volumeMounts[${at}]`;
      if (path === '/' || paths.has(path)) {
        const reason = 'the path is missing or mounted by the operator';
        const remedy = path === ENGINE_HOME ? 'use spec.model.cache instead' : 'choose another path';
        return [{ field: `${field}.mountPath`, value: mount.mountPath, reason, remedy }];
      }
      if (known.has(mount.name)) return [];
      const reason = 'there is no volume with this name';
      return [
        { field: `${field}.name`, value: mount.name, reason, remedy: 'add it to spec.template.volumes' },
      ];
    }),
    ...checkInitContainers(template?.initContainers ?? [], known),
  ];
}

/** A model cannot change the node placement that its pool sets. */
function checkPlacement(pool: InferencePoolSpec, { template }: InferenceModelSpec): SpecIssue[] {
  const { nodeSelector = {}, priorityClassName, runtimeClassName } = pool.accelerator;
  const pairs: [field: string, model: string | undefined, pool: string | undefined][] = [
    ...Object.entries(template?.nodeSelector ?? {}).map(
      ([key, value]): [string, string, string | undefined] => [
        `nodeSelector.${key}`,
        value,
        Object.hasOwn(nodeSelector, key) ? nodeSelector[key] : undefined,
      ],
    ),
    ['priorityClassName', template?.priorityClassName, priorityClassName],
    ['runtimeClassName', template?.runtimeClassName, runtimeClassName],
  ];
  return pairs.flatMap(([field, value, set]): SpecIssue[] => {
    if (value === undefined || set === undefined || value === set) return [];
    const reason = `the pool sets ${set} in spec.accelerator`;
    return [{ field: `spec.template.${field}`, value, reason, remedy: 'remove it, or use another pool' }];
  });
}

function checkCpuMemory(limit: string, memoryGiB: number): SpecIssue[] {
  if (quantityValue(limit) >= memoryGiB * GIB) return [];
  const reason = `weights and KV cache are planned for the ${memoryGiB} GiB of accelerator.cpu of the pool`;
  const remedy = `set ${memoryGiB}Gi or more, or use a pool with less memory for each replica`;
  return [{ field: 'spec.template.resources.limits.memory', value: limit, reason, remedy }];
}

function checkMemory(engine: MergedEngine, spec: InferenceModelSpec): SpecIssue[] {
  const limit = spec.template?.resources?.limits?.memory;
  if (limit === undefined) return [];
  const { vendor, memoryGiB } = engine.accelerator;
  if (vendor === 'cpu') return checkCpuMemory(limit, memoryGiB);
  const committed = committedMemoryGiB(engine);
  if (quantityValue(limit) > committed * GIB) return [];
  return [
    {
      field: 'spec.template.resources.limits.memory',
      value: limit,
      reason: `/dev/shm and swap space alone use ${committed} GiB of it`,
      remedy: `set more than ${committed}Gi, or lower engine.pagedAttention.swapSpaceGiB`,
    },
  ];
}

/** Issues of everything that is rendered besides the engine settings. */
export function checkTemplate(
  engine: MergedEngine,
  pool: InferencePoolSpec,
  spec: InferenceModelSpec,
  scaling: ResolvedScaling,
): SpecIssue[] {
  return [
    ...checkVolumes(engine, spec),
    ...checkPlacement(pool, spec),
    ...checkMemory(engine, spec),
    // The access modes of claims that users created are known only in the cluster.
    ...checkSharedClaims(spec, scaling, () => undefined),
  ];
}
