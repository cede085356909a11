import { applyPatch, type Operation } from 'rfc6902';
import { clone, type Json } from '../json.ts';
import { badRequest, StatusError } from '../status-error.ts';

/** JSON patch, RFC 6902. Throws Invalid (422) when an operation fails, as kube-apiserver answers. */
export function jsonPatch(target: Json, patch: Json): Json {
  if (!Array.isArray(patch))
    throw badRequest('json: cannot unmarshal object into Go value of type jsonpatch.Patch');
  const holder = clone(target);
  const results = applyPatch(holder, patch as unknown as Operation[]);
  const failed = results.find((error) => error !== null);
  if (failed) {
    throw new StatusError(
      422,
      'Invalid',
      'the server rejected our request due to an error in our request',
      {},
    );
  }
  return holder;
}
