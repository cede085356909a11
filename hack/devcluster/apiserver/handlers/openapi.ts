import { createHash } from 'node:crypto';
import { clone, isObject, type Json, type JsonObject, stringAt } from '../json.ts';
import { apiVersionOf, type Resource } from '../resource.ts';
import type { ServerContext } from '../server-context.ts';

const REF = '#/components/schemas/';
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const SEED = [
  `${META}.ObjectMeta`,
  `${META}.ListMeta`,
  `${META}.DeleteOptions`,
  `${META}.Status`,
  `${META}.Patch`,
];
const WRITE_PARAMETERS = ['dryRun', 'fieldManager', 'fieldValidation', 'force'];

/** Answers `/openapi/v3` and its documents; remembers them until the resources change. */
export class OpenApiDocuments {
  readonly #server: ServerContext;
  readonly #documents = new Map<string, string>();
  #generation = -1;

  constructor(server: ServerContext) {
    this.#server = server;
  }

  /** The answer to a path, undefined when there is none. */
  answer(path: string): string | undefined {
    if (this.#generation !== this.#server.registry.generation) {
      this.#documents.clear();
      this.#generation = this.#server.registry.generation;
    }
    const rest = path.replace(/^\/openapi\/v3\/?/, '');
    return rest === '' ? this.#index() : this.#document(rest);
  }

  /** The Swagger 2 document in JSON: definitions only, for clients that do not know version 3. */
  version2(): string {
    const definitions: JsonObject = { ...this.#server.builtin.schemas };
    for (const { group, version } of this.#groupVersions()) {
      for (const resource of this.#server.registry.resources(group, version)) {
        if (resource.custom) definitions[schemaName(this.#server, resource)] = customSchema(resource);
      }
    }
    const text = JSON.stringify({
      swagger: '2.0',
      info: { title: 'Kubernetes', version: 'v1.36.0' },
      paths: {},
      definitions,
    });
    return text.replaceAll(REF, '#/definitions/');
  }

  #index(): string {
    const paths: JsonObject = {};
    for (const { path } of this.#groupVersions()) {
      const hash = createHash('sha256').update(`${path} ${this.#generation}`).digest('hex').toUpperCase();
      paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` };
    }
    return JSON.stringify({ paths });
  }

  #groupVersions(): { path: string; group: string; version: string }[] {
    const { registry } = this.#server;
    return registry.groups().flatMap((group) =>
      registry.versions(group).map((version) => ({
        path: group === '' ? `api/${version}` : `apis/${group}/${version}`,
        group,
        version,
      })),
    );
  }

  #document(path: string): string | undefined {
    const known = this.#documents.get(path);
    if (known !== undefined) return known;
    const found = this.#groupVersions().find((each) => each.path === path);
    if (!found) return undefined;
    const text = JSON.stringify(
      groupDocument(this.#server, path, this.#server.registry.resources(found.group, found.version)),
    );
    this.#documents.set(path, text);
    return text;
  }
}

function groupDocument(server: ServerContext, prefix: string, resources: Resource[]): JsonObject {
  const schemas: JsonObject = {};
  const paths: JsonObject = {};
  for (const name of SEED) collect(server, name, schemas);
  for (const resource of resources) {
    const name = schemaName(server, resource);
    if (resource.custom) {
      schemas[name] = customSchema(resource);
      schemas[`${name}List`] = listSchema(resource, name);
    } else {
      collect(server, name, schemas);
      collect(server, `${name}List`, schemas);
    }
    addPaths(paths, `/${prefix}`, resource, name);
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

function gvk(resource: Resource, kind = resource.kind): JsonObject {
  return { group: resource.group, version: resource.version, kind };
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

function listSchema(resource: Resource, name: string): JsonObject {
  return {
    description: `${resource.listKind} is a list of ${resource.kind}`,
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      items: { type: 'array', items: { allOf: [{ $ref: `${REF}${name}` }] } },
      metadata: { allOf: [{ $ref: `${REF}${META}.ListMeta` }] },
    },
    'x-kubernetes-group-version-kind': [gvk(resource, resource.listKind)],
  };
}

function addPaths(paths: JsonObject, prefix: string, resource: Resource, name: string): void {
  const collection = `${prefix}${resource.namespaced ? '/namespaces/{namespace}' : ''}/${resource.plural}`;
  const content = (ref: string): JsonObject => ({ 'application/json': { schema: { $ref: `${REF}${ref}` } } });
  const operation = (action: string, ref: string, parameters: string[] = []): JsonObject => ({
    operationId: `${action}${apiVersionOf(resource).replaceAll(/[^A-Za-z0-9]/g, '')}${resource.kind}`,
    parameters: parameters.map((each) => ({
      name: each,
      in: 'query',
      schema: { type: each === 'force' ? 'boolean' : 'string', uniqueItems: true },
    })),
    responses: { '200': { description: 'OK', content: content(ref) } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvk(resource),
  });
  paths[collection] = {
    get: operation('list', `${name}List`),
    post: operation('post', name, WRITE_PARAMETERS.slice(0, 3)),
  };
  if (resource.namespaced) paths[`${prefix}/${resource.plural}`] = { get: operation('list', `${name}List`) };
  if (!resource.verbs.includes('get')) return;
  paths[`${collection}/{name}`] = {
    get: operation('get', name),
    put: operation('put', name, WRITE_PARAMETERS.slice(0, 3)),
    patch: operation('patch', name, WRITE_PARAMETERS),
    delete: operation('delete', `${META}.Status`, [
      'dryRun',
      'gracePeriodSeconds',
      'orphanDependents',
      'propagationPolicy',
    ]),
  };
}
