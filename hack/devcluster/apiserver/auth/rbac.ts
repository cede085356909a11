import { type LabelSelector, matchesSelector } from '../../../../operator/values/label-selector.ts';
import type { ApiObject } from '../api-object.ts';
import { type JsonObject, objectsAt, stringAt, stringsAt } from '../json.ts';
import type { UserInfo } from '../server-context.ts';
import type { Store } from '../store.ts';

const ROLES = 'rbac.authorization.k8s.io/roles';
const CLUSTER_ROLES = 'rbac.authorization.k8s.io/clusterroles';
const BINDINGS = 'rbac.authorization.k8s.io/rolebindings';
const CLUSTER_BINDINGS = 'rbac.authorization.k8s.io/clusterrolebindings';
const ACCOUNT_PREFIX = 'system:serviceaccount:';

/** An action to authorize: on a resource, or on a non-resource path. */
export interface AccessAttributes {
  verb: string;
  namespace: string;
  group: string;
  resource: string;
  subresource: string;
  name: string;
  /** Set for non-resource paths. */
  path?: string;
}

/** An answer of the authorizer. */
export interface AccessDecision {
  allowed: boolean;
  reason: string;
}

/** Rules that apply to a user in a namespace, for SelfSubjectRulesReview and `auth can-i --list`. */
export interface EffectiveRules {
  resourceRules: JsonObject[];
  nonResourceRules: JsonObject[];
}

/** Decides by the RBAC objects of the store; members of system:masters may do everything. */
export class RbacAuthorizer {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  decide(user: UserInfo, attributes: AccessAttributes): AccessDecision {
    if (user.groups.includes('system:masters')) return { allowed: true, reason: '' };
    for (const { rules, reason } of this.#grants(user, attributes.namespace)) {
      if (rules.some((rule) => allows(rule, attributes))) return { allowed: true, reason: reason() };
    }
    return { allowed: false, reason: '' };
  }

  /** All rules of a user in a namespace. */
  rules(user: UserInfo, namespace: string): EffectiveRules {
    const out: EffectiveRules = { resourceRules: [], nonResourceRules: [] };
    if (user.groups.includes('system:masters')) {
      out.resourceRules.push({ verbs: ['*'], apiGroups: ['*'], resources: ['*'] });
      out.nonResourceRules.push({ verbs: ['*'], nonResourceURLs: ['*'] });
      return out;
    }
    for (const { rules } of this.#grants(user, namespace)) {
      for (const rule of rules) {
        if (stringsAt(rule, 'nonResourceURLs').length > 0) out.nonResourceRules.push(rule);
        else out.resourceRules.push(rule);
      }
    }
    return out;
  }

  *#grants(user: UserInfo, namespace: string): Generator<{ rules: JsonObject[]; reason: () => string }> {
    for (const binding of this.#store.list(CLUSTER_BINDINGS)) {
      const subject = subjectFor(binding, user);
      if (subject) yield { rules: this.rulesOf(binding), reason: () => reasonText(binding, subject) };
    }
    if (namespace === '') return;
    for (const binding of this.#store.list(BINDINGS, namespace)) {
      const subject = subjectFor(binding, user);
      if (subject) yield { rules: this.rulesOf(binding), reason: () => reasonText(binding, subject) };
    }
  }

  /** Whether the role that a binding names exists. */
  hasRole(binding: ApiObject): boolean {
    return this.#roleOf(binding) !== undefined;
  }

  #roleOf(binding: ApiObject): ApiObject | undefined {
    const name = stringAt(binding, 'roleRef', 'name');
    return stringAt(binding, 'roleRef', 'kind') === 'ClusterRole'
      ? this.#store.get(CLUSTER_ROLES, '', name)
      : this.#store.get(ROLES, binding.metadata.namespace ?? '', name);
  }

  /** What the role of a binding grants. */
  rulesOf(binding: ApiObject): JsonObject[] {
    const role = this.#roleOf(binding);
    if (!role) return [];
    return [...objectsAt(role, 'rules'), ...this.#aggregated(role)];
  }

  /** Rules of the ClusterRoles that an aggregationRule selects; aggregated roles may aggregate others. */
  #aggregated(role: ApiObject): JsonObject[] {
    const selectors = objectsAt(role, 'aggregationRule', 'clusterRoleSelectors') as LabelSelector[];
    if (selectors.length === 0) return [];
    return this.#store
      .list(CLUSTER_ROLES)
      .filter(
        (each) =>
          each !== role && selectors.some((selector) => matchesSelector(selector, each.metadata.labels)),
      )
      .flatMap((each) => [...objectsAt(each, 'rules'), ...this.#aggregated(each)]);
  }
}

function reasonText(binding: ApiObject, subject: JsonObject): string {
  const { namespace, name } = binding.metadata;
  const where = namespace ? `${name}/${namespace}` : name;
  const role = `${stringAt(binding, 'roleRef', 'kind')} "${stringAt(binding, 'roleRef', 'name')}"`;
  const own = stringAt(subject, 'namespace');
  const who = `${stringAt(subject, 'kind')} "${stringAt(subject, 'name')}${own === '' ? '' : `/${own}`}"`;
  return `RBAC: allowed by ${binding.kind} "${where}" of ${role} to ${who}`;
}

function subjectFor(binding: ApiObject, user: UserInfo): JsonObject | undefined {
  return objectsAt(binding, 'subjects').find((subject) => {
    const name = stringAt(subject, 'name');
    if (subject.kind === 'User') return name === user.username;
    if (subject.kind === 'Group') return user.groups.includes(name);
    return (
      user.username ===
      `${ACCOUNT_PREFIX}${stringAt(subject, 'namespace') || binding.metadata.namespace}:${name}`
    );
  });
}

function has(list: string[], value: string): boolean {
  return list.includes('*') || list.includes(value);
}

/** Whether a rule allows an action. */
export function allows(rule: JsonObject, attributes: AccessAttributes): boolean {
  if (!has(stringsAt(rule, 'verbs'), attributes.verb)) return false;
  const { path } = attributes;
  if (path !== undefined) {
    return stringsAt(rule, 'nonResourceURLs').some(
      (each) => each === path || (each.endsWith('*') && path.startsWith(each.slice(0, -1))),
    );
  }
  if (!has(stringsAt(rule, 'apiGroups'), attributes.group)) return false;
  const names = stringsAt(rule, 'resourceNames');
  if (names.length > 0 && !names.includes(attributes.name)) return false;
  const resources = stringsAt(rule, 'resources');
  if (resources.includes('*')) return true;
  if (attributes.subresource === '') return resources.includes(attributes.resource);
  return (
    resources.includes(`${attributes.resource}/${attributes.subresource}`) ||
    resources.includes(`*/${attributes.subresource}`)
  );
}
