import { createHash } from 'node:crypto';
import { clone, isObject, type Json, type JsonObject, stringAt } from '../json.ts';
import type { Resource } from '../resource.ts';
import type { ServerContext } from '../server-context.ts';

/** An OpenAPI v2 document without definitions, as protobuf (`swagger: "2.0"`): kubectl wants it for kinds that version 3 lacks. */
export const EMPTY_VERSION_2 = Buffer.from('\n\x032.0');
const REF = '#/components/schemas/';
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const WRITE_PARAMETERS = ['dryRun', 'fieldManager', 'fieldValidation'];

/** The answer to `/openapi/v3` and the paths below it, undefined where there is none. */
export function openApiAnswer(server: ServerContext, path: string): JsonObject | undefined {
  const { registry } = server;
  const rest = path.replace(/^\/openapi\/v3\/?/, '');
  const paths: JsonObject = {};
  for (const group of registry.groups())
    for (const version of registry.versions(group)) {
      const prefix = group === '' ? `api/${version}` : `apis/${group}/${version}`;
      if (rest === prefix) return groupDocument(server, prefix, registry.resources(group, version));
      const hash = createHash('sha256')
        .update(`${prefix} ${registry.generation}`)
        .digest('hex')
        .toUpperCase();
      paths[prefix] = { serverRelativeURL: `/openapi/v3/${prefix}?hash=${hash}` };
    }
  return rest === '' ? { paths } : undefined;
}

function groupDocument(server: ServerContext, prefix: string, resources: Resource[]): JsonObject {
  const schemas: JsonObject = {};
  const paths: JsonObject = {};
  collect(server, `${META}.ObjectMeta`, schemas);
  for (const resource of resources) {
    const name = schemaName(server, resource);
    if (resource.custom) schemas[name] = customSchema(resource);
    else collect(server, name, schemas);
    addPaths(paths, `/${prefix}`, resource);
  }
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'v1.36.0' },
    paths,
    components: { schemas },
  };
}

/** Copies a component and all that it refers to. */
function collect(server: ServerContext, name: string, into: JsonObject): void {
  const schema = server.lookup(name);
  if (!schema || name in into) return;
  into[name] = schema;
  for (const ref of references(schema)) collect(server, ref, into);
}

function references(value: Json): string[] {
  if (Array.isArray(value)) return value.flatMap(references);
  if (!isObject(value)) return [];
  const own = stringAt(value, '$ref');
  const rest = Object.values(value).flatMap(references);
  return own.startsWith(REF) ? [own.slice(REF.length), ...rest] : rest;
}

/** The component that describes a resource: the recorded one, or `<reversed group>.<version>.<Kind>`. */
function schemaName(server: ServerContext, resource: Resource): string {
  if (resource.custom)
    return [...resource.group.split('.').reverse(), resource.version, resource.kind].join('.');
  const found = Object.entries(server.builtin.schemas).find(([, schema]) => schema === resource.schema);
  return found?.[0] ?? resource.kind;
}

function gvk({ group, version, kind }: Resource): JsonObject {
  return { group, version, kind };
}

function customSchema(resource: Resource): JsonObject {
  const schema = clone(resource.schema);
  const properties = isObject(schema.properties) ? schema.properties : {};
  return {
    ...schema,
    properties: {
      ...properties,
      apiVersion: {
        type: 'string',
        description: 'APIVersion defines the versioned schema of this representation of an object.',
      },
      kind: {
        type: 'string',
        description: 'Kind is a string value representing the REST resource this object represents.',
      },
      metadata: { description: "Standard object's metadata.", allOf: [{ $ref: `${REF}${META}.ObjectMeta` }] },
    },
    'x-kubernetes-group-version-kind': [gvk(resource)],
  };
}

/** As much of a path as kubectl reads: which kind it is of, and whether a patch takes fieldValidation. */
function addPaths(paths: JsonObject, prefix: string, resource: Resource): void {
  const collection = `${prefix}${resource.namespaced ? '/namespaces/{namespace}' : ''}/${resource.plural}`;
  const operation = (action: string, names: string[]): JsonObject => ({
    parameters: names.map((name) => ({ name, in: 'query', schema: { type: 'string' } })),
    responses: { '200': { description: 'OK' } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvk(resource),
  });
  const list = { get: operation('list', []), post: operation('post', WRITE_PARAMETERS) };
  paths[collection] = list;
  paths[`${prefix}/${resource.plural}`] = list;
  if (!resource.verbs.includes('get')) return;
  paths[`${collection}/{name}`] = {
    get: operation('get', []),
    put: operation('put', WRITE_PARAMETERS),
    patch: operation('patch', [...WRITE_PARAMETERS, 'force']),
    delete: operation('delete', ['dryRun', 'gracePeriodSeconds', 'propagationPolicy']),
  };
}
