import { sendJson } from '../http-message.ts';
import { isObject } from '../json.ts';
import { methodNotAllowed } from '../status-error.ts';
import { readStored } from '../writes/common.ts';
import { decodeObject } from '../writes/decode-object.ts';
import { writeUpdate } from '../writes/update-object.ts';
import { type HandlerState, type ResourceRequest, readObjectBody, targetOf } from './resource-handler.ts';
import { writeRequestOf } from './write-request.ts';

/** Answers `PUT namespaces/<name>/finalize`: sets spec.finalizers. */
export async function handleFinalize(state: HandlerState, call: ResourceRequest): Promise<void> {
  if (call.info.verb !== 'update') throw methodNotAllowed();
  const body = await readObjectBody(call, 'Namespace');
  const request = writeRequestOf(call.message, call.info, call.user);
  const target = { ...targetOf(call), namespace: '', subresource: 'finalize' };
  const sent = decodeObject(state.server, call.resource, body, request);
  const live = readStored(state.server, target);
  const next = { ...live, spec: isObject(sent.spec) ? sent.spec : {} };
  sendJson(call.response, 200, writeUpdate(state.server, target, live, next, request), request.warnings);
}
