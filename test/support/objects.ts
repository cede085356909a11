/** What every test with an operator does: creates pools and models, and waits for what becomes of them. */
import { API_VERSION } from '../../operator/api/common.ts';
import {
  INFERENCE_MODELS,
  INFERENCE_POOLS,
  type InferenceModel,
  type InferencePool,
} from '../../operator/api/types.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import type { KubeObject, ResourceType } from '../../operator/kube/object.ts';
import { NAMESPACES } from '../../operator/kube/resource-types.ts';
import { eventually } from './eventually.ts';

export type Spec = Record<string, unknown>;

export async function createNamespace(client: KubeClient, name: string, labels: Record<string, string>) {
  await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
}

export async function createPool(
  client: KubeClient,
  namespace: string,
  name: string,
  spec: Spec,
): Promise<InferencePool> {
  return await client.create(INFERENCE_POOLS, ours(INFERENCE_POOLS, namespace, name, spec));
}

/** A model of the pool `pool`, unless its spec names another one. */
export async function createModel(
  client: KubeClient,
  namespace: string,
  name: string,
  spec: Spec,
): Promise<InferenceModel> {
  const full = { poolRef: { name: 'pool' }, ...spec };
  return await client.create(INFERENCE_MODELS, ours(INFERENCE_MODELS, namespace, name, full));
}

/** The object once it satisfies the predicate. */
export async function untilObject<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType,
  key: { namespace?: string | undefined; name: string },
  what: string,
  predicate: (object: T) => boolean | undefined,
): Promise<T> {
  let last: T | undefined;
  const { namespace, name } = key;
  try {
    return await eventually(`${type.kind} ${namespace}/${name} ${what}`, async () => {
      last = await client.get<T>(type, { ...(namespace !== undefined && { namespace }), name });
      return predicate(last) ? last : undefined;
    });
  } catch (error) {
    throw new Error(`${(error as Error).message}; last seen: ${describe(last)}`, { cause: error });
  }
}

function ours<T extends KubeObject>(type: ResourceType, namespace: string, name: string, spec: Spec): T {
  const object = { apiVersion: API_VERSION, kind: type.kind, metadata: { namespace, name }, spec };
  return object as unknown as T;
}

function describe(object: KubeObject | undefined): string {
  if (object === undefined) return 'nothing';
  const { managedFields: _, ...metadata } = object.metadata as KubeObject['metadata'] & {
    managedFields?: unknown;
  };
  return JSON.stringify({ ...object, metadata }, undefined, 1);
}
