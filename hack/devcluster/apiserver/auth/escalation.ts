import type { ApiObject } from '../api-object.ts';
import { equal, type JsonObject, objectsAt, stringAt, stringsAt } from '../json.ts';
import type { Resource } from '../resource.ts';
import type { UserInfo } from '../server-context.ts';
import { forbidden, notFound } from '../status-error.ts';
import type { Store } from '../store.ts';
import { RbacAuthorizer } from './rbac.ts';

const GROUP = 'rbac.authorization.k8s.io';
const KINDS = new Set(['Role', 'ClusterRole', 'RoleBinding', 'ClusterRoleBinding']);

/**
 * Throws Forbidden when a role or binding would grant what its writer does not hold (PolicyBasedStorage of
 * Kubernetes). Who may `escalate` roles, or `bind` the role, may do so all the same.
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
    (rule) => !parts(rule).every((part) => owned.some((own) => covers(own, part))),
  );
  if (missing.length === 0) return;
  const groups = user.groups.map((group) => JSON.stringify(group)).join(' ');
  const why = `user ${JSON.stringify(user.username)} (groups=[${groups}]) is attempting to grant RBAC permissions not currently held:`;
  throw forbidden(resource, object.metadata.name, `${why}\n${missing.map(shown).join('\n')}`);
}

/** A rule of one verb and one resource or path: what another rule covers as a whole or not at all. */
interface Part {
  verb: string;
  group?: string;
  resource?: string;
  name?: string;
  url?: string;
}

function parts(rule: JsonObject): Part[] {
  const out: Part[] = [];
  const names = stringsAt(rule, 'resourceNames');
  for (const verb of stringsAt(rule, 'verbs')) {
    for (const url of stringsAt(rule, 'nonResourceURLs')) out.push({ verb, url });
    for (const group of stringsAt(rule, 'apiGroups')) {
      for (const resource of stringsAt(rule, 'resources')) {
        if (names.length === 0) out.push({ verb, group, resource });
        for (const name of names) out.push({ verb, group, resource, name });
      }
    }
  }
  return out;
}

function covers(own: JsonObject, { verb, group, resource, name, url }: Part): boolean {
  const has = (field: string, value: string): boolean => {
    const list = stringsAt(own, field);
    return list.includes('*') || list.includes(value);
  };
  if (!has('verbs', verb)) return false;
  if (url !== undefined)
    return stringsAt(own, 'nonResourceURLs').some(
      (each) => each === url || (each.endsWith('*') && url.startsWith(each.slice(0, -1))),
    );
  if (group === undefined || resource === undefined || !has('apiGroups', group)) return false;
  const names = stringsAt(own, 'resourceNames');
  if (names.length > 0 && (name === undefined || !names.includes(name))) return false;
  const [, subresource] = resource.split('/');
  return has('resources', resource) || (subresource !== undefined && has('resources', `*/${subresource}`));
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
