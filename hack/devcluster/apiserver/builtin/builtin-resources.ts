import { isObject, type JsonObject, objectsAt, valueAt } from '../json.ts';
import type { Behaviour, Resource } from '../resource.ts';
import type { BuiltinApi, ListedResource } from '../schema/builtin-schemas.ts';
import type { TypeNodes } from '../schema/type-node.ts';
import { words } from '../words.ts';
import { converters } from './conversions.ts';

/** Kinds without storage: requests to them are answered at once. */
export const VIRTUAL_KINDS =
  words(`TokenReview SelfSubjectReview SubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview
  LocalSubjectAccessReview Binding ComponentStatus`);

/** Kinds whose metadata.generation the server counts. */
const GENERATION =
  words(`pods apps/deployments apps/replicasets policy/poddisruptionbudgets networking.k8s.io/ingresses
  networking.k8s.io/networkpolicies networking.k8s.io/ingressclasses discovery.k8s.io/endpointslices
  apiextensions.k8s.io/customresourcedefinitions scheduling.k8s.io/priorityclasses`);

/** Storage is shared by these versions: [collection of the group as named, collection used]. */
const SHARED_COLLECTIONS: Readonly<Record<string, string>> = { 'events.k8s.io/events': 'events' };

/** Resources of all built-in groups from the recorded API. */
export function builtinResources(
  api: BuiltinApi,
  types: TypeNodes,
  behaviours: Readonly<Record<string, Behaviour>>,
): Resource[] {
  const kinds = schemasByKind(api);
  const out: Resource[] = [];
  for (const [path, listed] of Object.entries(api.resources)) {
    const [, first = '', second = ''] = path.split('/');
    const group = path.startsWith('api/') ? '' : first;
    const version = path.startsWith('api/') ? first : second;
    for (const each of listed) {
      if (each.name.includes('/')) continue;
      const schema = kinds.get(`${group}/${version}/${each.kind}`);
      if (schema) out.push(makeResource(group, version, each, listed, schema, types, behaviours));
    }
  }
  return out;
}

function schemasByKind(api: BuiltinApi): Map<string, JsonObject> {
  const out = new Map<string, JsonObject>();
  for (const schema of Object.values(api.schemas)) {
    for (const kind of objectsAt(schema, 'x-kubernetes-group-version-kind')) {
      const key = `${String(kind.group)}/${String(kind.version)}/${String(kind.kind)}`;
      if (isObject(schema.properties) && !out.has(key)) out.set(key, schema);
    }
  }
  return out;
}

function makeResource(
  group: string,
  version: string,
  each: ListedResource,
  listed: ListedResource[],
  schema: JsonObject,
  types: TypeNodes,
  behaviours: Readonly<Record<string, Behaviour>>,
): Resource {
  const named = group === '' ? each.name : `${group}/${each.name}`;
  const collection = SHARED_COLLECTIONS[named] ?? named;
  const subresources = listed.filter((other) => other.name.startsWith(`${each.name}/`));
  return {
    group,
    version,
    kind: each.kind,
    listKind: `${each.kind}List`,
    plural: each.name,
    singular: each.singularName,
    namespaced: each.namespaced,
    shortNames: each.shortNames ?? [],
    categories: each.categories ?? [],
    verbs: each.verbs,
    collection,
    subresources: subresources.map((other) => ({ ...other })),
    schema,
    type: types.of(schema),
    hasGeneration: GENERATION.has(collection),
    hasStatus:
      subresources.some((other) => other.name === `${each.name}/status`) &&
      valueAt(schema, 'properties', 'status') !== undefined,
    behaviour: behaviours[collection] ?? {},
    ...converters(group, collection),
  };
}
