import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { UserInfo } from '../server-context.ts';
import { badRequest, forbidden, unauthorized } from '../status-error.ts';
import type { RbacAuthorizer } from './rbac.ts';
import type { ServiceAccountTokens } from './service-account-tokens.ts';

const EXTRA_PREFIX = 'impersonate-extra-';
const ACCOUNT_PREFIX = 'system:serviceaccount:';

/** The user of all requests to the plain listener. */
const ADMIN: UserInfo = { username: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] };
const ANONYMOUS: UserInfo = { username: 'system:anonymous', groups: ['system:unauthenticated'] };

/** What authentication needs. */
export interface Authentication {
  tokens: ServiceAccountTokens;
  rbac: RbacAuthorizer;
}

/** The user of a request by token or client certificate (plain listener: administrator), after impersonation. Throws Unauthorized, Forbidden. */
export function authenticate({ tokens, rbac }: Authentication, message: IncomingMessage): UserInfo {
  const user = identify(tokens, message);
  const name = header(message, 'impersonate-user');
  if (name === undefined) {
    const others = Object.keys(message.headers).filter((each) =>
      /^impersonate-(group|uid|extra-)/.test(each),
    );
    if (others.length > 0)
      throw badRequest(`requested ${others.join(', ')} without impersonating a user name`);
    return user;
  }
  const wanted = impersonated(message, name);
  assertMayImpersonate(rbac, user, wanted);
  return wanted;
}

function identify(tokens: ServiceAccountTokens, message: IncomingMessage): UserInfo {
  const authorization = message.headers.authorization;
  if (authorization?.toLowerCase().startsWith('bearer ')) {
    const checked = tokens.check(authorization.slice(7).trim());
    if (!checked) throw unauthorized();
    return checked.user;
  }
  const { socket } = message;
  if (!(socket instanceof TLSSocket)) return ADMIN;
  const { subject } = socket.getPeerCertificate();
  if (!subject) return ANONYMOUS;
  if (!socket.authorized) throw unauthorized();
  // A subject may have several organizations, but Node's type declares only one.
  const organizations: unknown = subject.O;
  const groups = Array.isArray(organizations)
    ? organizations.map(String)
    : organizations === undefined
      ? []
      : [String(organizations)];
  return { username: String(subject.CN), groups: [...groups, 'system:authenticated'] };
}

function header(message: IncomingMessage, name: string): string | undefined {
  const value = message.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** The user that Impersonate-* headers name. Repeated group headers come joined by commas. */
function impersonated(message: IncomingMessage, username: string): UserInfo {
  const given = (message.headersDistinct['impersonate-group'] ?? [])
    .flatMap((value) => value.split(','))
    .map((value) => value.trim());
  const groups = [...given];
  if (username.startsWith(ACCOUNT_PREFIX) && given.length === 0) {
    const namespace = username.slice(ACCOUNT_PREFIX.length).split(':')[0] ?? '';
    groups.push('system:serviceaccounts', `system:serviceaccounts:${namespace}`);
  }
  if (username !== 'system:anonymous' && !groups.includes('system:authenticated'))
    groups.push('system:authenticated');
  const uid = header(message, 'impersonate-uid');
  const extra = Object.fromEntries(
    Object.entries(message.headersDistinct)
      .filter(([key]) => key.startsWith(EXTRA_PREFIX))
      .map(([key, values = []]) => [decodeURIComponent(key.slice(EXTRA_PREFIX.length)), values]),
  );
  return {
    username,
    groups,
    ...(uid === undefined ? {} : { uid }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
}

function assertMayImpersonate(rbac: RbacAuthorizer, user: UserInfo, wanted: UserInfo): void {
  const check = (resource: string, name: string, namespace = '', group = '', subresource = ''): void => {
    const asked = { verb: 'impersonate', namespace, group, resource, subresource, name };
    if (rbac.decide(user, asked).allowed) return;
    const what = subresource === '' ? resource : `${resource}/${subresource}`;
    throw forbidden(
      { group, plural: resource },
      name,
      `User "${user.username}" cannot impersonate resource "${what}" in API group "${group}" at the cluster scope`,
    );
  };
  if (wanted.username.startsWith(ACCOUNT_PREFIX)) {
    const [namespace = '', name = ''] = wanted.username.slice(ACCOUNT_PREFIX.length).split(':');
    check('serviceaccounts', name, namespace);
  } else check('users', wanted.username);
  for (const group of wanted.groups) if (!group.startsWith('system:')) check('groups', group);
  const extras = (key: string, values: string[]): void => {
    for (const value of values) check('userextras', value, '', 'authentication.k8s.io', key);
  };
  for (const [key, values] of Object.entries(wanted.extra ?? {})) extras(key, values);
  if (wanted.uid !== undefined) check('uids', wanted.uid, '', 'authentication.k8s.io');
}
