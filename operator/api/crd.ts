/** The CustomResourceDefinitions of both kinds, generated from their zod schemas. */
import type { z } from 'zod';
import type { KubeObject, ResourceType } from '../kube/object.ts';
import { inferenceModelSpec, inferenceModelStatus } from './inference-model.ts';
import { inferencePoolSpec, inferencePoolStatus } from './inference-pool.ts';
import { type StructuralSchema, structuralSchema } from './structural-schema.ts';
import { INFERENCE_MODELS, INFERENCE_POOLS } from './types.ts';

interface PrinterColumn {
  name: string;
  type: 'string' | 'integer' | 'date';
  jsonPath: string;
  description?: string;
  /** 1 shows the column only in wide output. */
  priority?: 1;
}

interface CrdVersion {
  name: string;
  served: boolean;
  storage: boolean;
  additionalPrinterColumns: PrinterColumn[];
  selectableFields?: { jsonPath: string }[];
  subresources: {
    status: Record<string, never>;
    scale?: { specReplicasPath: string; statusReplicasPath: string; labelSelectorPath: string };
  };
  schema: { openAPIV3Schema: StructuralSchema };
}

/** The used fields of apiextensions.k8s.io/v1. */
export interface CustomResourceDefinition extends KubeObject {
  spec: {
    group: string;
    scope: 'Namespaced';
    names: {
      kind: string;
      listKind: string;
      plural: string;
      singular: string;
      shortNames: string[];
      categories: string[];
    };
    versions: CrdVersion[];
  };
}

/**
 * Longest name of a pool or model. `vllm-<model>` and `<pool>-router` are then DNS labels, with room for the suffixes of
 * pod names.
 */
export const MAX_NAME_LENGTH = 52;

/** Services of a pool start with its name, and Service names must start with a letter (RFC 1035). */
export const POOL_NAME_PATTERN = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
export const MODEL_NAME_PATTERN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

const READY = '.status.conditions[?(@.type=="Ready")]';
const REASON_COLUMN: PrinterColumn = { name: 'Reason', type: 'string', jsonPath: `${READY}.reason` };
const URL_COLUMN: PrinterColumn = { name: 'URL', type: 'string', jsonPath: '.status.url' };
const AGE_COLUMN: PrinterColumn = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

/** Both definitions, pools first. */
export function customResourceDefinitions(): CustomResourceDefinition[] {
  return [inferencePoolCrd(), inferenceModelCrd()];
}

function inferencePoolCrd(): CustomResourceDefinition {
  const schema = kindSchema({
    description:
      'InferencePool is a slice of accelerators for language models, with a router and a response cache in front of them.',
    spec: inferencePoolSpec,
    status: inferencePoolStatus,
    namePattern: POOL_NAME_PATTERN,
  });
  return definition(INFERENCE_POOLS, 'vpool', {
    additionalPrinterColumns: [
      { name: 'Accelerator', type: 'string', jsonPath: '.spec.accelerator.type' },
      { name: 'Models', type: 'integer', jsonPath: '.status.models' },
      { name: 'Accelerators', type: 'integer', jsonPath: '.status.accelerators' },
      { name: 'Budget', type: 'integer', jsonPath: '.spec.capacity.accelerators' },
      { name: 'Routers', type: 'integer', jsonPath: '.status.readyRouterReplicas' },
      URL_COLUMN,
      { name: 'Ready', type: 'string', jsonPath: `${READY}.status` },
      { ...REASON_COLUMN, priority: 1 },
      AGE_COLUMN,
    ],
    subresources: { status: {} },
    schema: { openAPIV3Schema: schema },
  });
}

function inferenceModelCrd(): CustomResourceDefinition {
  const schema = kindSchema({
    description: 'InferenceModel is a language model that a team wants to serve from an InferencePool.',
    spec: inferenceModelSpec,
    status: inferenceModelStatus,
    namePattern: MODEL_NAME_PATTERN,
  });
  return definition(INFERENCE_MODELS, 'vmodel', {
    additionalPrinterColumns: [
      { name: 'Pool', type: 'string', jsonPath: '.spec.poolRef.name' },
      { name: 'State', type: 'string', jsonPath: '.status.state' },
      { name: 'Ready', type: 'integer', jsonPath: '.status.readyReplicas' },
      { name: 'Desired', type: 'integer', jsonPath: '.status.desiredReplicas' },
      { name: 'Accelerators', type: 'integer', jsonPath: '.status.accelerators' },
      { name: 'Condition', type: 'string', jsonPath: `${READY}.status`, priority: 1 },
      // The number of replicas alone does not distinguish a rejected model from one that sleeps.
      REASON_COLUMN,
      { ...URL_COLUMN, priority: 1 },
      AGE_COLUMN,
    ],
    selectableFields: [{ jsonPath: '.spec.poolRef.name' }],
    subresources: {
      status: {},
      scale: {
        specReplicasPath: '.spec.scaling.replicas',
        statusReplicasPath: '.status.replicas',
        labelSelectorPath: '.status.selector',
      },
    },
    schema: { openAPIV3Schema: schema },
  });
}

function definition(
  type: ResourceType,
  shortName: string,
  version: Omit<CrdVersion, 'name' | 'served' | 'storage'>,
): CustomResourceDefinition {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${type.plural}.${type.group}` },
    spec: {
      group: type.group,
      scope: 'Namespaced',
      names: {
        kind: type.kind,
        listKind: `${type.kind}List`,
        plural: type.plural,
        singular: type.kind.toLowerCase(),
        shortNames: [shortName],
        categories: ['vllm'],
      },
      versions: [{ name: type.version, served: true, storage: true, ...version }],
    },
  };
}

function kindSchema(kind: {
  description: string;
  spec: z.ZodType;
  status: z.ZodType;
  namePattern: RegExp;
}): StructuralSchema {
  return {
    type: 'object',
    description: kind.description,
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string', description: 'Version of the schema of this object.' },
      kind: { type: 'string', description: 'Kind of this object.' },
      metadata: {
        type: 'object',
        properties: {
          name: { type: 'string', maxLength: MAX_NAME_LENGTH, pattern: kind.namePattern.source },
        },
      },
      spec: { ...structuralSchema(kind.spec), description: 'Desired state.' },
      status: { ...structuralSchema(kind.status), description: 'Observed state, written by the operator.' },
    },
  };
}
