import type { ApiObject } from '../api-object.ts';
import { equal, type JsonObject, objectsAt, stringAt, stringsAt } from '../json.ts';
import type { Resource } from '../resource.ts';
import type { UserInfo } from '../server-context.ts';
import { forbidden, notFound } from '../status-error.ts';
import type { Store } from '../store.ts';
import { type AccessAttributes, allows, RbacAuthorizer } from './rbac.ts';

const GROUP = 'rbac.authorization.k8s.io';
const KINDS = new Set(['Role', 'ClusterRole', 'RoleBinding', 'ClusterRoleBinding']);

/**
 * Throws Forbidden when a role or binding would grant what its writer does not hold (PolicyBasedStorage of
 * Kubernetes). Users who may `escalate` roles or `bind` the role are exempt.
 */
export function assertNoEscalation(
  store: Store,
  resource: Resource,
  object: ApiObject,
  old: ApiObject | undefined,
  user: UserInfo,
): void {
  if (resource.group !== GROUP || !KINDS.has(resource.kind)) return;
  if (user.groups.includes('system:masters')) return;
  const rbac = new RbacAuthorizer(store);
  const namespace = object.metadata.namespace ?? '';
  const binding = resource.kind.endsWith('Binding');
  const same = binding
    ? equal(old?.roleRef, object.roleRef) && equal(old?.subjects, object.subjects)
    : equal(old?.rules, object.rules);
  if (old && same) return;
  const plural = binding ? `${stringAt(object, 'roleRef', 'kind').toLowerCase()}s` : resource.plural;
  const name = binding ? stringAt(object, 'roleRef', 'name') : object.metadata.name;
  const verb = binding ? 'bind' : 'escalate';
  const asked = { verb, namespace, group: GROUP, resource: plural, subresource: '', name };
  if (rbac.decide(user, asked).allowed) return;
  if (binding && !rbac.hasRole(object)) throw notFound({ ...resource, plural }, name);
  const held = rbac.rules(user, namespace);
  const owned = [...held.resourceRules, ...held.nonResourceRules];
  const wanted = binding ? rbac.rulesOf(object) : objectsAt(object, 'rules');
  const missing = wanted.filter(
    (rule) => !parts(rule).every((part) => owned.some((own) => allows(own, part))),
  );
  if (missing.length === 0) return;
  const groups = user.groups.map((group) => JSON.stringify(group)).join(' ');
  const why = `user ${JSON.stringify(user.username)} (groups=[${groups}]) is attempting to grant RBAC permissions not currently held:`;
  throw forbidden(resource, object.metadata.name, `${why}\n${missing.map(shown).join('\n')}`);
}

/** Splits a rule into its smallest parts, each of which another rule allows or does not. */
function parts(rule: JsonObject): AccessAttributes[] {
  const names = stringsAt(rule, 'resourceNames');
  const nothing = { namespace: '', group: '', resource: '', subresource: '', name: '' };
  return stringsAt(rule, 'verbs').flatMap((verb) => [
    ...stringsAt(rule, 'nonResourceURLs').map((path) => ({ ...nothing, verb, path })),
    ...stringsAt(rule, 'apiGroups').flatMap((group) =>
      stringsAt(rule, 'resources').flatMap((each) => {
        const [resource = '', subresource = ''] = each.split('/');
        return (names.length === 0 ? [''] : names).map((name) => ({
          ...nothing,
          verb,
          group,
          resource,
          subresource,
          name,
        }));
      }),
    ),
  ]);
}

/** A rule as Kubernetes prints it: `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`. */
function shown(rule: JsonObject): string {
  const fields: [label: string, field: string][] = [
    ['NonResourceURLs', 'nonResourceURLs'],
    ['APIGroups', 'apiGroups'],
    ['Resources', 'resources'],
    ['ResourceNames', 'resourceNames'],
    ['Verbs', 'verbs'],
  ];
  const texts = fields
    .map(([label, field]) => [label, stringsAt(rule, field)] as const)
    .filter(([, values]) => values.length > 0)
    .map(([label, values]) => `${label}:[${values.map((value) => JSON.stringify(value)).join(' ')}]`);
  return `{${texts.join(', ')}}`;
}
