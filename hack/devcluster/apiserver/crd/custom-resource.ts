import { createHash } from 'node:crypto';
import type { ApiObject } from '../api-object.ts';
import { remembered } from '../builtin/conversions.ts';
import { type CelRules, compileRules } from '../cel/rules.ts';
import {
  clone,
  isObject,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  stringAt,
  stringsAt,
} from '../json.ts';
import type { PrinterColumn, Resource } from '../resource.ts';
import { applyDefaults, prune } from '../schema/structural.ts';
import type { TypeNodes } from '../schema/type-node.ts';
import { customCollection } from './custom-collection.ts';

const META_REF = { $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' };
const VERBS = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];

/** The served versions of a CustomResourceDefinition as resources. */
export function customResources(definition: ApiObject, types: TypeNodes): Resource[] {
  return objectsAt(definition, 'spec', 'versions')
    .filter((version) => version.served === true)
    .map((version) => customResource(definition, version, types));
}

function storageVersion(definition: ApiObject): string {
  const stored = objectsAt(definition, 'spec', 'versions').find((version) => version.storage === true);
  return stringAt(stored, 'name');
}

function customResource(definition: ApiObject, version: JsonObject, types: TypeNodes): Resource {
  const group = stringAt(definition, 'spec', 'group');
  const names = objectAt(definition, 'spec', 'names');
  const name = stringAt(version, 'name');
  const plural = stringAt(names, 'plural');
  const kind = stringAt(names, 'kind');
  const schema = objectAt(version, 'schema', 'openAPIV3Schema');
  const subresources = objectAt(version, 'subresources');
  const scale = isObject(subresources.scale) ? subresources.scale : undefined;
  const hasStatus = isObject(subresources.status);
  const rules: CelRules = compileRules(schema, true);
  const labelSelectorPath = stringAt(scale, 'labelSelectorPath');
  const namespaced = stringAt(definition, 'spec', 'scope') === 'Namespaced';
  return {
    group,
    version: name,
    kind,
    listKind: stringAt(names, 'listKind') || `${kind}List`,
    plural,
    singular: stringAt(names, 'singular') || kind.toLowerCase(),
    namespaced,
    shortNames: stringsAt(names, 'shortNames'),
    categories: stringsAt(names, 'categories'),
    verbs: VERBS,
    collection: customCollection(definition),
    subresources: listedSubresources(plural, kind, namespaced, hasStatus, scale !== undefined),
    schema,
    type: types.of(typedSchema(schema)),
    hasGeneration: true,
    hasStatus,
    behaviour: {},
    custom: {
      schema,
      rules,
      columns: objectsAt(version, 'additionalPrinterColumns').map(printerColumn),
      selectableFields: objectsAt(version, 'selectableFields').map((field) => stringAt(field, 'jsonPath')),
      hasStatus,
      ...(scale
        ? {
            scale: {
              specReplicasPath: stringAt(scale, 'specReplicasPath'),
              statusReplicasPath: stringAt(scale, 'statusReplicasPath'),
              ...(labelSelectorPath === '' ? {} : { labelSelectorPath }),
            },
          }
        : {}),
    },
    fromStored: remembered((object) => readAs(object, `${group}/${name}`, schema)),
    toStored: (object) => ({ ...object, apiVersion: `${group}/${storageVersion(definition)}` }),
  };
}

/** A stored object in the requested version, pruned and defaulted by the current schema. */
function readAs(object: ApiObject, apiVersion: string, schema: JsonObject): ApiObject {
  const { metadata, ...rest } = object;
  const copy: ApiObject = { ...clone(rest), apiVersion, kind: object.kind, metadata };
  prune(schema, copy);
  applyDefaults(schema, copy);
  return copy;
}

/** The schema with the types of metadata filled in, which CRDs leave open. */
function typedSchema(schema: JsonObject): JsonObject {
  const properties = objectAt(schema, 'properties');
  return {
    ...schema,
    properties: {
      ...properties,
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: META_REF,
    },
  };
}

function listedSubresources(
  plural: string,
  kind: string,
  namespaced: boolean,
  status: boolean,
  scale: boolean,
): JsonObject[] {
  const verbs = ['get', 'patch', 'update'];
  const out: JsonObject[] = [];
  if (status) out.push({ name: `${plural}/status`, singularName: '', namespaced, kind, verbs });
  if (scale)
    out.push({
      name: `${plural}/scale`,
      singularName: '',
      namespaced,
      group: 'autoscaling',
      version: 'v1',
      kind: 'Scale',
      verbs,
    });
  return out;
}

function printerColumn(column: JsonObject): PrinterColumn {
  const priority = numberAt(column, 'priority');
  return {
    name: stringAt(column, 'name'),
    type: stringAt(column, 'type'),
    jsonPath: stringAt(column, 'jsonPath'),
    ...(column.format === undefined ? {} : { format: stringAt(column, 'format') }),
    ...(column.description === undefined ? {} : { description: stringAt(column, 'description') }),
    ...(priority ? { priority } : {}),
  };
}

/** A stable digest of a definition's spec, to find out whether its resources have to be created again. */
export function specDigest(definition: ApiObject): string {
  return createHash('sha256')
    .update(JSON.stringify(definition.spec ?? null))
    .digest('hex');
}
