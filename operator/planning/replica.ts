/** One replica as the planner proposes it: a model with settings on accelerators, resolved exactly as the operator does. */
import { API_VERSION } from '../api/common.ts';
import type { EngineSettings } from '../api/engine-settings.ts';
import { inferenceModelSpec } from '../api/inference-model.ts';
import { inferencePoolSpec } from '../api/inference-pool.ts';
import { resolveModel } from '../model/resolve-model.ts';
import { resolvePool } from '../model/resolve-pool.ts';
import type { SpecIssue } from '../values/spec-issue.ts';
import type { AcceleratorProduct } from '../vllm/accelerators.ts';
import type { ModelFacts, WeightFormat } from '../vllm/model-facts.ts';
import { findModel } from '../vllm/models.ts';
import { quantizedFormat } from '../vllm/quantization.ts';
import { type EngineMemory, engineShape } from './engine-shape.ts';
import type { EngineShape } from './performance.ts';

export interface ReplicaSpec {
  source: string;
  facts?: ModelFacts;
  product: AcceleratorProduct;
  /** Accelerators; all of them are used for tensor parallelism. */
  count: number;
  settings: EngineSettings & {
    batching: { maxNumSeqs: number; maxNumBatchedTokens: number };
    maxModelLen: number;
  };
}

/** A replica that the operator takes, or why it does not. */
export type Replica =
  | { kind: 'runs'; spec: ReplicaSpec; format: WeightFormat; shape: EngineShape; kvCacheTokens: number }
  | { kind: 'refused'; spec: ReplicaSpec; issues: readonly SpecIssue[] };

/** Resolves a replica. The model must be in the catalog or have facts. */
export function resolveReplica(spec: ReplicaSpec): Replica {
  const model = findModel(spec.source, spec.facts);
  if (model === undefined) throw new RangeError(`${spec.source} is not in the catalog`);
  const { memory, fault } = resolution(spec);
  if (fault !== undefined || memory === undefined)
    return { kind: 'refused', spec, issues: fault?.issues ?? [] };
  const { quantization, pagedAttention, batching } = spec.settings;
  const format = (quantization === undefined ? undefined : quantizedFormat(quantization)) ?? model.format;
  const { kvCacheTokens } = memory;
  const shape = engineShape(model, {
    weightFormat: format,
    kvValueBytes: valueBytes(pagedAttention?.kvCacheDtype),
    kvCacheTokens,
    tensorParallelSize: spec.count,
    ...batching,
  } satisfies EngineMemory);
  return { kind: 'runs', spec, format, shape, kvCacheTokens };
}

function resolution({ source, facts, product, count, settings }: ReplicaSpec) {
  const pool = resolvePool({
    apiVersion: API_VERSION,
    kind: 'InferencePool',
    metadata: { name: 'planned', namespace: 'default' },
    spec: inferencePoolSpec.parse({ accelerator: { type: count === 1 ? product : `${product}x${count}` } }),
  });
  const spec = inferenceModelSpec.parse({
    poolRef: { name: 'planned' },
    model: { source, ...(facts && { facts }) },
    engine: settings,
  });
  return resolveModel(pool, { metadata: { name: 'planned', namespace: 'default' }, spec });
}

function valueBytes(kvCacheDtype = 'auto'): number {
  if (/(nvfp4|int4)/.test(kvCacheDtype)) return 0.5;
  return /(fp8|int8)/.test(kvCacheDtype) ? 1 : 2;
}
