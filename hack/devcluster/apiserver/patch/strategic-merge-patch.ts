import { equal, isObject, type Json, type JsonObject, objectAt, stringAt } from '../json.ts';
import { resolveSchema, type SchemaLookup } from '../schema/resolve.ts';
import { badRequest } from '../status-error.ts';

const DIRECTIVE = '$patch';
const RETAIN = '$retainKeys';
const DELETE_FROM = '$deleteFromPrimitiveList/';
const ORDER = '$setElementOrder/';

/**
 * Kubernetes' strategic merge patch: lists merge by `x-kubernetes-patch-merge-key`, with the directives
 * `$patch`, `$retainKeys`, `$deleteFromPrimitiveList` and `$setElementOrder`.
 */
export function strategicMergePatch(
  target: JsonObject,
  patch: JsonObject,
  schema: JsonObject,
  lookup: SchemaLookup,
): JsonObject {
  return mergeObject(target, patch, schema, lookup);
}

function mergeObject(
  target: JsonObject,
  patch: JsonObject,
  unresolved: JsonObject,
  lookup: SchemaLookup,
): JsonObject {
  const directive = patch[DIRECTIVE];
  if (directive === 'replace') return without(patch, DIRECTIVE);
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'merge')
    throw badRequest(`unrecognized patch directive: ${String(directive)}`);
  const schema = resolveSchema(unresolved, lookup);
  let out: JsonObject = { ...target };
  const retain = patch[RETAIN];
  if (Array.isArray(retain))
    out = Object.fromEntries(Object.entries(out).filter(([key]) => retain.includes(key)));
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$setElementOrder') && !/^\$setElementOrder\/./.test(key))
      throw badRequest('invalid patch format of setElementOrder list');
    if (key === DIRECTIVE || key === RETAIN || key.startsWith(ORDER)) continue;
    if (key.startsWith(DELETE_FROM)) {
      const name = key.slice(DELETE_FROM.length);
      const gone = Array.isArray(value) ? value : [];
      const list = out[name];
      if (Array.isArray(list)) out[name] = list.filter((item) => !gone.some((each) => equal(each, item)));
      continue;
    }
    if (value === null) {
      delete out[key];
      continue;
    }
    out[key] = mergeField(out[key], value, fieldSchema(schema, key), lookup, patch[`${ORDER}${key}`]);
  }
  for (const [key, order] of Object.entries(patch)) {
    if (!key.startsWith(ORDER)) continue;
    const name = key.slice(ORDER.length);
    const list = out[name];
    if (name in patch || !Array.isArray(list) || !Array.isArray(order)) continue;
    out[name] = inOrder(list, order, list, mergeKeyOf(fieldSchema(schema, name)));
  }
  return out;
}

function fieldSchema(schema: JsonObject, key: string): JsonObject {
  const property = objectAt(schema, 'properties')[key];
  if (isObject(property)) return property;
  const additional = schema.additionalProperties;
  return isObject(additional) ? additional : {};
}

function mergeKeyOf(schema: JsonObject): string {
  return stringAt(schema, 'x-kubernetes-patch-merge-key');
}

function mergeField(
  target: Json | undefined,
  patch: Json,
  schema: JsonObject,
  lookup: SchemaLookup,
  order: Json | undefined,
): Json {
  if (isObject(patch)) return mergeObject(isObject(target) ? target : {}, patch, schema, lookup);
  if (!Array.isArray(patch)) return patch;
  const merges = stringAt(schema, 'x-kubernetes-patch-strategy').split(',').includes('merge');
  if (!merges) return patch;
  const current = Array.isArray(target) ? target : [];
  const key = mergeKeyOf(schema);
  if (key !== '' && patch.some((item) => isObject(item) && item[DIRECTIVE] === 'replace')) {
    return patch.filter((item) => !(isObject(item) && item[DIRECTIVE] === 'replace'));
  }
  const merged =
    key === ''
      ? [...current, ...patch.filter((item) => !current.some((each) => equal(each, item)))]
      : mergeItems(current, patch, key, objectAt(schema, 'items'), lookup);
  return inOrder(merged, Array.isArray(order) ? order : patch, current, key);
}

function mergeItems(
  target: Json[],
  patch: Json[],
  key: string,
  items: JsonObject,
  lookup: SchemaLookup,
): Json[] {
  let out = [...target];
  for (const item of patch) {
    if (!isObject(item))
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
    const id = item[key];
    if (id === undefined)
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
    const same = (each: Json): boolean => isObject(each) && equal(each[key], id);
    if (item[DIRECTIVE] === 'delete') {
      out = out.filter((each) => !same(each));
      continue;
    }
    const index = out.findIndex(same);
    const found = out[index];
    if (isObject(found)) out[index] = mergeObject(found, item, items, lookup);
    else out.push(clean(mergeObject({}, item, items, lookup)));
  }
  return out;
}

function clean(item: JsonObject): JsonObject {
  return without(item, DIRECTIVE);
}

function without(object: JsonObject, key: string): JsonObject {
  const { [key]: _, ...rest } = object;
  return rest;
}

/**
 * Items that the patch names come in its order; the others stay in theirs, each before the first named one
 * that it was before (normalizeElementOrder of apimachinery): new items go to the front.
 */
function inOrder(merged: Json[], order: Json[], before: Json[], key: string): Json[] {
  const idOf = (item: Json): Json | undefined => (key !== '' && isObject(item) ? item[key] : item);
  const rankIn = (list: Json[], item: Json): number =>
    list.findIndex((each) => equal(idOf(each), idOf(item)));
  const named = merged.filter((item) => rankIn(order, item) >= 0);
  named.sort((a, b) => rankIn(order, a) - rankIn(order, b));
  const others = merged.filter((item) => rankIn(order, item) < 0);
  const out: Json[] = [];
  for (const item of named) {
    const place = rankIn(before, item);
    while (others[0] !== undefined && place >= 0 && rankIn(before, others[0]) < place)
      out.push(...others.splice(0, 1));
    out.push(item);
  }
  return [...out, ...others];
}
