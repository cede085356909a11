import { type ApiObject, timestamp } from '../api-object.ts';
import { trackUpdate } from '../apply/updater.ts';
import type { AccessAttributes, RbacAuthorizer } from '../auth/rbac.ts';
import { API_AUDIENCE, type ServiceAccountTokens } from '../auth/service-account-tokens.ts';
import { Faults } from '../faults.ts';
import { sendJson } from '../http-message.ts';
import { isObject, type JsonObject, objectAt, stringAt, stringsAt } from '../json.ts';
import type { Resource } from '../resource.ts';
import type { UserInfo } from '../server-context.ts';
import { badRequest, invalid, methodNotAllowed } from '../status-error.ts';
import { blankObject, managedWrite, type Write } from '../writes/common.ts';
import { decodeObject } from '../writes/decode-object.ts';
import { type HandlerState, type ResourceRequest, readObjectBody, writeOf } from './resource-handler.ts';

/** What the answers to reviews are computed from. */
export interface ReviewSources {
  rbac: RbacAuthorizer;
  tokens: ServiceAccountTokens;
}

/** Answers review kinds, which are not stored: access reviews, token reviews, SelfSubjectReview. */
export async function handleReview(
  state: HandlerState,
  sources: ReviewSources,
  call: ResourceRequest,
): Promise<void> {
  const { info, resource, user, response } = call;
  if (info.verb !== 'create') throw methodNotAllowed();
  const body = await readObjectBody(call, resource.kind);
  const write = writeOf(state, call);
  const { request } = write;
  const object = decodeObject(state.server, resource, body, request);
  if (resource.namespaced) object.metadata.namespace = info.namespace;
  validate(resource, object, info.namespace);
  const status = answer(sources, resource, object, user);
  const tracked = track(write, object);
  if (resource.kind === 'SelfSubjectReview')
    tracked.metadata.creationTimestamp = timestamp(state.server.now());
  sendJson(response, 201, { ...tracked, status }, request.warnings);
}

function track(write: Write, object: ApiObject): ApiObject {
  const { status: _, ...rest } = object;
  const { status: __, ...blank } = blankObject(write.server, write.resource);
  return trackUpdate(blank as ApiObject, rest as ApiObject, managedWrite(write, 'Update'));
}

function validate(resource: Resource, object: ApiObject, namespace: string): void {
  if (resource.kind === 'TokenReview' && stringAt(object, 'spec', 'token') === '')
    throw badRequest('token is required for TokenReview in authentication');
  if (!resource.kind.endsWith('AccessReview')) return;
  const faults = new Faults('spec');
  const spec = objectAt(object, 'spec');
  if (isObject(spec.resourceAttributes) === isObject(spec.nonResourceAttributes)) {
    const why = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
    faults.invalid('resourceAttributes', spec.resourceAttributes, why);
  }
  const named = stringAt(spec, 'user') !== '' || stringsAt(spec, 'groups').length > 0;
  if (resource.kind !== 'SelfSubjectAccessReview' && !named)
    faults.invalid('user', '', 'at least one of user or group must be specified');
  const inside = stringAt(spec, 'resourceAttributes', 'namespace');
  if (resource.kind === 'LocalSubjectAccessReview' && inside !== namespace)
    faults.invalid('resourceAttributes.namespace', inside, 'must match metadata.namespace');
  if (faults.causes.length > 0) throw invalid({ ...resource, kind: '' }, '', faults.causes);
}

function answer(sources: ReviewSources, resource: Resource, object: ApiObject, user: UserInfo): JsonObject {
  const spec = objectAt(object, 'spec');
  switch (resource.kind) {
    case 'SelfSubjectAccessReview':
      return access(sources, user, spec);
    case 'SubjectAccessReview':
    case 'LocalSubjectAccessReview':
      return access(sources, { username: stringAt(spec, 'user'), groups: stringsAt(spec, 'groups') }, spec);
    case 'SelfSubjectRulesReview':
      return { ...sources.rbac.rules(user, stringAt(spec, 'namespace')), incomplete: false };
    case 'SelfSubjectReview':
      return { userInfo: userObject(user) };
    default:
      return token(sources, spec);
  }
}

function access({ rbac }: ReviewSources, user: UserInfo, spec: JsonObject): JsonObject {
  const wanted = objectAt(spec, 'resourceAttributes');
  const other = objectAt(spec, 'nonResourceAttributes');
  const isResource = isObject(spec.resourceAttributes);
  const attributes: AccessAttributes = {
    verb: stringAt(isResource ? wanted : other, 'verb'),
    namespace: stringAt(wanted, 'namespace'),
    group: stringAt(wanted, 'group'),
    resource: stringAt(wanted, 'resource'),
    subresource: stringAt(wanted, 'subresource'),
    name: stringAt(wanted, 'name'),
    ...(isResource ? {} : { path: stringAt(other, 'path') }),
  };
  const { allowed, reason } = rbac.decide(user, attributes);
  return { allowed, ...(reason === '' ? {} : { reason }) };
}

function userObject(user: UserInfo): JsonObject {
  return {
    username: user.username,
    ...(user.uid === undefined ? {} : { uid: user.uid }),
    groups: user.groups,
    ...(user.extra === undefined ? {} : { extra: user.extra }),
  };
}

function token({ tokens }: ReviewSources, spec: JsonObject): JsonObject {
  const checked = tokens.check(stringAt(spec, 'token'));
  if (!checked) return { user: {}, error: 'invalid bearer token' };
  const wanted = stringsAt(spec, 'audiences');
  const audiences = (wanted.length > 0 ? wanted : [API_AUDIENCE]).filter((each) =>
    checked.audiences.includes(each),
  );
  if (audiences.length === 0)
    return {
      user: {},
      error: `invalid bearer token, token audiences ${JSON.stringify(checked.audiences)} is invalid for the target audiences ${JSON.stringify(wanted)}`,
    };
  return { authenticated: true, user: userObject(checked.user), audiences };
}
