import { applyPatch, type Operation } from 'rfc6902';
import { clone, isObject, type Json } from '../json.ts';
import { badRequest, StatusError } from '../status-error.ts';

/** JSON patch, RFC 6902. Throws Invalid (422) when an operation fails, as kube-apiserver answers. */
export function jsonPatch(target: Json, patch: Json): Json {
  if (!Array.isArray(patch))
    throw badRequest('json: cannot unmarshal object into Go value of type jsonpatch.Patch');
  const holder = { document: clone(target) };
  if (patch.some((operation) => !isOperation(operation)) || !applied(holder, patch)) {
    throw new StatusError(
      422,
      'Invalid',
      'the server rejected our request due to an error in our request',
      {},
    );
  }
  return holder.document;
}

function isOperation(operation: Json): boolean {
  const { op, path, from } = isObject(operation) ? operation : {};
  if (typeof op !== 'string' || typeof path !== 'string') return false;
  return !['move', 'copy'].includes(op) || typeof from === 'string';
}

function applied(holder: { document: Json }, patch: Json[]): boolean {
  // The document is put into a holder, so that an operation may replace all of it.
  const within = patch.filter(isObject).map((operation) => ({
    ...operation,
    path: `/document${String(operation.path)}`,
    ...(operation.from === undefined ? {} : { from: `/document${String(operation.from)}` }),
  }));
  return applyPatch(holder, within as unknown as Operation[]).every((error) => error === null);
}
