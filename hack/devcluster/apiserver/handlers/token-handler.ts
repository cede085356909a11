import { timestamp } from '../api-object.ts';
import { trackUpdate } from '../apply/updater.ts';
import { API_AUDIENCE, type ServiceAccountTokens } from '../auth/service-account-tokens.ts';
import { tokenRequestResource } from '../builtin/token-request.ts';
import { fieldInvalid } from '../faults.ts';
import { sendJson } from '../http-message.ts';
import { isObject, numberAt, objectAt, stringAt, stringsAt } from '../json.ts';
import { invalid, methodNotAllowed, noSuchResource } from '../status-error.ts';
import { blankObject, managedWrite, readStored } from '../writes/common.ts';
import { decodeObject } from '../writes/decode-object.ts';
import { type HandlerState, type ResourceRequest, readObjectBody, targetOf } from './resource-handler.ts';
import { writeRequestOf } from './write-request.ts';

const DEFAULT_SECONDS = 3600;
const MIN_SECONDS = 600;

/** Answers `POST serviceaccounts/<name>/token`. */
export async function handleTokenRequest(
  state: HandlerState,
  tokens: ServiceAccountTokens,
  call: ResourceRequest,
): Promise<void> {
  if (call.info.verb !== 'create') throw methodNotAllowed();
  const { server } = state;
  const resource = tokenRequestResource(server);
  if (!resource) throw noSuchResource();
  const body = await readObjectBody(call, 'TokenRequest');
  const request = writeRequestOf(call);
  const account = readStored(server, targetOf(call));
  const object = decodeObject(server, resource, body, request);
  const spec = objectAt(object, 'spec');
  const seconds = numberAt(spec, 'expirationSeconds') ?? DEFAULT_SECONDS;
  if (seconds < MIN_SECONDS) {
    throw invalid(resource, account.metadata.name, [
      fieldInvalid('spec.expirationSeconds', seconds, 'may not specify a duration less than 10 minutes'),
    ]);
  }
  const given = stringsAt(spec, 'audiences');
  const audiences = given.length > 0 ? given : [API_AUDIENCE];
  const reference = spec.boundObjectRef;
  const bound = isObject(reference)
    ? {
        kind: stringAt(reference, 'kind'),
        name: stringAt(reference, 'name'),
        uid: stringAt(reference, 'uid'),
      }
    : undefined;
  const { token, expires } = tokens.issue(account, audiences, seconds, bound);
  const blank = blankObject(server, resource);
  const write = { server, resource, namespace: '', name: '', subresource: 'token', request };
  const tracked = trackUpdate(
    { ...blank, status: object.status ?? {} },
    object,
    managedWrite(write, 'Update'),
  );
  const { name, namespace, uid, creationTimestamp } = account.metadata;
  sendJson(call.response, 201, {
    ...tracked,
    metadata: {
      ...tracked.metadata,
      name,
      namespace: namespace ?? '',
      uid: uid ?? '',
      creationTimestamp: creationTimestamp ?? '',
    },
    spec: { ...spec, audiences, expirationSeconds: seconds, boundObjectRef: spec.boundObjectRef ?? null },
    status: { token, expirationTimestamp: timestamp(expires) },
  });
}
