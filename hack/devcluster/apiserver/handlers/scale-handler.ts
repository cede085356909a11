import type { LabelSelector } from '../../../../operator/values/label-selector.ts';
import { selectorText } from '../../selector-text.ts';
import type { ApiObject } from '../api-object.ts';
import { FieldSet } from '../apply/field-set.ts';
import { fieldElement } from '../apply/path-element.ts';
import { applyConflict, ownersOf, trackUpdate } from '../apply/updater.ts';
import { fieldInvalid } from '../faults.ts';
import { mediaType, parseObject, readBody, sendJson } from '../http-message.ts';
import {
  clone,
  ensureObject,
  type Json,
  type JsonObject,
  numberAt,
  objectAt,
  stringAt,
  valueAt,
} from '../json.ts';
import { partialMeta } from '../object-meta.ts';
import { type Representation, representation } from '../representation.ts';
import type { Resource } from '../resource.ts';
import type { ServerContext } from '../server-context.ts';
import { badRequest, conflict, invalid, StatusError } from '../status-error.ts';
import { scaleTable } from '../table/table.ts';
import { managedWrite, readStored, type Target, type Write } from '../writes/common.ts';
import { prepareUpdate, storeUpdate } from '../writes/update-object.ts';
import { assertPatchType, parsePatch, patchedBody } from './patch-object.ts';
import {
  type HandlerState,
  type ResourceRequest,
  readObjectBody,
  targetOf,
  writeOf,
} from './resource-handler.ts';

const APPLY = 'application/apply-patch+yaml';

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
export function scaleOf(resource: Resource, object: ApiObject): ApiObject {
  const paths = pathsOf(resource);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const replicas = numberAt(object, ...paths.specReplicas) ?? 0;
  const selector = paths.selectorText
    ? stringAt(object, ...paths.selectorText)
    : selectorText(objectAt(object, 'spec', 'selector') as LabelSelector);
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

/** Answers requests for the scale subresource. */
export async function handleScale(state: HandlerState, call: ResourceRequest): Promise<void> {
  const { info, resource, message } = call;
  const { server } = state;
  const shape = representation(message.headers.accept, { what: 'object', tables: true });
  const target = targetOf(call);
  const live = readStored(server, target);
  if (info.verb === 'get') {
    assertReplicas(resource, live);
    sendScale(server, call, scaleOf(resource, live), shape);
    return;
  }
  const apply = mediaType(message) === APPLY;
  const scale =
    info.verb === 'update' ? await readObjectBody(call, 'Scale') : await patchedScale(state, call, live);
  const current = readStored(server, target);
  const write = writeOf(state, call);
  checkScale(write, current, scale);
  const replicas = numberAt(scale, 'spec', 'replicas') ?? 0;
  const next = clone(current);
  setAt(next, pathsOf(resource).specReplicas, replicas);
  if (apply && info.query.get('force') !== 'true') assertUncontested(write, current, next);
  const written = writeScale(write, current, next, apply ? 'Apply' : 'Update');
  sendScale(server, call, scaleOf(resource, written), shape, write.request.warnings);
}

function sendScale(
  server: ServerContext,
  { response, info }: ResourceRequest,
  scale: ApiObject,
  shape: Representation,
  warnings: string[] = [],
): void {
  if (shape === 'table') sendJson(response, 200, scaleTable(scale, info.query, server.now()), warnings);
  else sendJson(response, 200, shape === 'partial' ? partialMeta(scale) : scale, warnings);
}

/** A custom resource without a number of replicas has no scale to show. */
function assertReplicas(resource: Resource, live: ApiObject): void {
  const path = resource.custom?.scale?.specReplicasPath;
  if (path === undefined || valueAt(live, ...pathsOf(resource).specReplicas) !== undefined) return;
  const why = `the spec replicas field ${JSON.stringify(path)} does not exist`;
  throw new StatusError(500, 'InternalError', `Internal error occurred: ${why}`, {
    causes: [{ message: why }],
  });
}

/** Throws Conflict when an applied number differs from what another manager owns. */
function assertUncontested({ resource, request }: Write, live: ApiObject, next: ApiObject): void {
  const path = pathsOf(resource).specReplicas;
  const before = numberAt(live, ...path);
  // A Scale does not write zero, so that zero always counts as a change.
  if (before !== 0 && before === numberAt(next, ...path)) return;
  const others = ownersOf(live, path.map(fieldElement)).filter(
    ({ manager, operation, subresource }) =>
      manager !== request.fieldManager || operation !== 'Apply' || subresource !== 'scale',
  );
  if (others.length === 0) return;
  const replicas = FieldSet.fromJson({ 'f:spec': { 'f:replicas': {} } });
  throw applyConflict(
    others.map((entry) => ({ entry: { ...entry, apiVersion: 'autoscaling/v1' }, fields: replicas })),
  );
}

/** Ownership of replicas is recorded only if they had an owner before or are now applied. Entries of updates have no time. */
function writeScale(
  write: Write,
  live: ApiObject,
  changed: ApiObject,
  operation: 'Apply' | 'Update',
): ApiObject {
  const next = prepareUpdate(write, live, changed);
  const owned = ownersOf(live, pathsOf(write.resource).specReplicas.map(fieldElement)).length > 0;
  const managed = managedWrite(write, operation);
  const tracked =
    operation === 'Apply'
      ? trackUpdate(live, next, managed)
      : owned
        ? trackUpdate(live, next, { ...managed, time: '' })
        : next;
  return storeUpdate(write, live, tracked);
}

async function patchedScale(
  state: HandlerState,
  call: ResourceRequest,
  live: ApiObject,
): Promise<JsonObject> {
  const type = mediaType(call.message);
  const text = await readBody(call.message);
  const scale = scaleOf(call.resource, live);
  if (type === APPLY) {
    const { value } = parseObject(text, 'yaml', 'Scale');
    return { ...scale, ...value, spec: objectAt(value, 'spec') };
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
  const parent = path.slice(0, -1).reduce(ensureObject, object);
  parent[path.at(-1) ?? ''] = value;
}
