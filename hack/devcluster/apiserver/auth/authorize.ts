import type { RequestInfo } from '../request-info.ts';
import type { UserInfo } from '../server-context.ts';
import { forbidden, StatusError } from '../status-error.ts';
import type { AccessAttributes, RbacAuthorizer } from './rbac.ts';

/** Throws Forbidden when a user may not do what a request asks for. */
export function authorize(rbac: RbacAuthorizer, user: UserInfo, info: RequestInfo): void {
  const attributes = attributesOf(info);
  if (rbac.decide(user, attributes).allowed) return;
  if (!info.isResource) {
    throw new StatusError(
      403,
      'Forbidden',
      `forbidden: User "${user.username}" cannot ${info.verb} path "${info.path}"`,
      {},
    );
  }
  const what = info.subresource === '' ? info.plural : `${info.plural}/${info.subresource}`;
  const where = info.namespace === '' ? 'at the cluster scope' : `in the namespace "${info.namespace}"`;
  const why = `User "${user.username}" cannot ${info.verb} resource "${what}" in API group "${info.group}" ${where}`;
  throw forbidden({ group: info.group, plural: info.plural }, info.name, why);
}

function attributesOf(info: RequestInfo): AccessAttributes {
  return {
    verb: info.verb,
    namespace: info.namespace,
    group: info.group,
    resource: info.plural,
    subresource: info.subresource,
    name: info.name,
    ...(info.isResource ? {} : { path: info.path }),
  };
}
