import type { ApiObject } from '../api-object.ts';
import { fieldElement } from '../apply/path-element.ts';
import { isOwned, trackUpdate } from '../apply/updater.ts';
import { mediaType, parseObject, readBody, sendJson } from '../http-message.ts';
import { clone, isObject, type Json, type JsonObject, numberAt, objectAt, stringAt } from '../json.ts';
import { fieldInvalid } from '../object-meta.ts';
import type { Resource } from '../resource.ts';
import type { ServerContext, WriteRequest } from '../server-context.ts';
import { badRequest, conflict, invalid, methodNotAllowed } from '../status-error.ts';
import { managedWrite, readStored, type Target } from '../writes/common.ts';
import { prepareUpdate, storeUpdate } from '../writes/update-object.ts';
import { assertPatchType, parsePatch, patchedBody } from './patch-object.ts';
import { type HandlerState, type ResourceRequest, readObjectBody, targetOf } from './resource-handler.ts';
import { writeRequestOf } from './write-request.ts';

interface ScalePaths {
  specReplicas: string[];
  statusReplicas: string[];
  /** Text of a selector in status (custom resources). */
  selectorText?: string[];
}

function pathsOf(resource: Resource): ScalePaths {
  const scale = resource.custom?.scale;
  const split = (path: string): string[] => path.split('.').slice(1);
  if (!scale) return { specReplicas: ['spec', 'replicas'], statusReplicas: ['status', 'replicas'] };
  return {
    specReplicas: split(scale.specReplicasPath),
    statusReplicas: split(scale.statusReplicasPath),
    ...(scale.labelSelectorPath === undefined ? {} : { selectorText: split(scale.labelSelectorPath) }),
  };
}

/** The autoscaling/v1 Scale of an object. */
export function scaleOf(resource: Resource, object: ApiObject): JsonObject {
  const paths = pathsOf(resource);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const replicas = numberAt(object, ...paths.specReplicas) ?? 0;
  const selector = paths.selectorText
    ? stringAt(object, ...paths.selectorText)
    : selectorText(objectAt(object, 'spec', 'selector'));
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      name,
      ...(namespace ? { namespace } : {}),
      uid: uid ?? '',
      resourceVersion: resourceVersion ?? '',
      creationTimestamp: creationTimestamp ?? '',
    },
    spec: replicas === 0 ? {} : { replicas },
    status: {
      replicas: numberAt(object, ...paths.statusReplicas) ?? 0,
      ...(selector === '' ? {} : { selector }),
    },
  };
}

/** A LabelSelector as text. */
export function selectorText(selector: JsonObject): string {
  const labels = objectAt(selector, 'matchLabels');
  const parts = Object.entries(labels).map(([key, value]) => `${key}=${String(value)}`);
  const expressions = Array.isArray(selector.matchExpressions)
    ? selector.matchExpressions.filter(isObject)
    : [];
  for (const each of expressions) {
    const key = stringAt(each, 'key');
    const values = Array.isArray(each.values) ? each.values.join(',') : '';
    if (each.operator === 'In') parts.push(`${key} in (${values})`);
    else if (each.operator === 'NotIn') parts.push(`${key} notin (${values})`);
    else parts.push(each.operator === 'Exists' ? key : `!${key}`);
  }
  return parts.sort().join(',');
}

/** Answers requests for the scale subresource. */
export async function handleScale(state: HandlerState, call: ResourceRequest): Promise<void> {
  const { info, resource, response, message, user } = call;
  const { server } = state;
  const target = targetOf(call);
  const live = readStored(server, target);
  if (info.verb === 'get') {
    sendJson(response, 200, scaleOf(resource, live));
    return;
  }
  if (info.verb !== 'update' && info.verb !== 'patch') throw methodNotAllowed();
  const scale =
    info.verb === 'update' ? await readObjectBody(call, 'Scale') : await patchedScale(state, call, live);
  const current = readStored(server, target);
  const request = writeRequestOf(message, info, user);
  checkScale(target, current, scale);
  const replicas = numberAt(scale, 'spec', 'replicas') ?? 0;
  const next = clone(current);
  setAt(next, pathsOf(resource).specReplicas, replicas);
  const written = writeScale(server, target, current, next, request);
  sendJson(response, 200, scaleOf(resource, written), request.warnings);
}

/** Ownership of replicas is noted only if someone owned them before; such entries carry no time. */
function writeScale(
  server: ServerContext,
  target: Target,
  live: ApiObject,
  changed: ApiObject,
  request: WriteRequest,
): ApiObject {
  const next = prepareUpdate(server, target, live, changed, request);
  const owned = isOwned(live, pathsOf(target.resource).specReplicas.map(fieldElement));
  const write = { ...managedWrite(server, target, request, 'Update'), time: '' };
  return storeUpdate(server, target, live, owned ? trackUpdate(live, next, write) : next, request);
}

async function patchedScale(
  state: HandlerState,
  call: ResourceRequest,
  live: ApiObject,
): Promise<JsonObject> {
  const type = mediaType(call.message);
  const text = await readBody(call.message);
  const scale = scaleOf(call.resource, live);
  if (type === 'application/apply-patch+yaml') {
    const body = parseObject(text, 'yaml', 'Scale').value;
    return { ...scale, spec: objectAt(body, 'spec') };
  }
  assertPatchType(type, false);
  return patchedBody(state.server, {}, scale, { type, value: parsePatch({ text, type }).value });
}

function checkScale(target: Target, live: ApiObject, scale: JsonObject): void {
  const metadata = objectAt(scale, 'metadata');
  if (metadata.name !== undefined && metadata.name !== target.name) {
    throw badRequest(
      `the name of the object (${String(metadata.name)}) does not match the name on the URL (${target.name})`,
    );
  }
  const version = stringAt(metadata, 'resourceVersion');
  if (version !== '' && version !== live.metadata.resourceVersion)
    throw conflict(target.resource, target.name);
  const replicas: Json | undefined = objectAt(scale, 'spec').replicas;
  if (replicas !== undefined && !Number.isInteger(replicas)) {
    throw badRequest(
      'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal into Go struct field ScaleSpec.spec.replicas of type int32',
    );
  }
  if (Number(replicas ?? 0) < 0 && !target.resource.custom) {
    throw invalid({ group: 'autoscaling', plural: 'scales', kind: 'Scale' }, target.name, [
      fieldInvalid('spec.replicas', replicas ?? 0, 'must be greater than or equal to 0'),
    ]);
  }
}

function setAt(object: JsonObject, path: string[], value: Json): void {
  let at = object;
  path.forEach((key, index) => {
    if (index === path.length - 1) at[key] = value;
    else {
      const next = at[key];
      if (isObject(next)) at = next;
      else {
        const made: JsonObject = {};
        at[key] = made;
        at = made;
      }
    }
  });
}
