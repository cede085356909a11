import { ensureObject, equal, objectsAt, setDefault, stringAt, stringsAt } from '../json.ts';
import type { Behaviour } from '../resource.ts';

const RBAC_GROUP = 'rbac.authorization.k8s.io';

/** Roles and ClusterRoles: as ValidatePolicyRule of Kubernetes. */
export const ROLES: Behaviour = {
  validate(faults, object) {
    faults.each('rules', objectsAt(object, 'rules'), (at, rule) => {
      const count = (...fields: string[]): number => fields.flatMap((field) => stringsAt(rule, field)).length;
      const urls = stringsAt(rule, 'nonResourceURLs');
      if (count('verbs') === 0) at.required('verbs', 'verbs must contain at least one value');
      if (urls.length === 0) {
        if (count('apiGroups') === 0)
          at.required('apiGroups', 'resource rules must supply at least one api group');
        if (count('resources') === 0)
          at.required('resources', 'resource rules must supply at least one resource');
        return;
      }
      if (object.kind === 'Role')
        at.invalid('nonResourceURLs', urls, 'namespaced rules cannot apply to non-resource URLs');
      if (count('apiGroups', 'resources', 'resourceNames') > 0) {
        const why = 'rules cannot apply to both regular resources and non-resource URLs';
        at.invalid('nonResourceURLs', urls, why);
      }
    });
  },
};

/** RoleBindings and ClusterRoleBindings: roleRef can't change. */
export const ROLE_BINDINGS: Behaviour = {
  default(object) {
    const role = ensureObject(object, 'roleRef');
    if (stringAt(role, 'apiGroup') === '') role.apiGroup = RBAC_GROUP;
    for (const subject of objectsAt(object, 'subjects')) {
      if (subject.kind === 'User' || subject.kind === 'Group') setDefault(subject, 'apiGroup', RBAC_GROUP);
    }
  },
  validate(faults, object, old) {
    if (old && !equal(old.roleRef, object.roleRef))
      faults.invalid('roleRef', object.roleRef, 'cannot change roleRef');
    faults.each('subjects', objectsAt(object, 'subjects'), (at, { kind, namespace = '' }) => {
      if (object.kind === 'ClusterRoleBinding' && kind === 'ServiceAccount' && namespace === '')
        at.required('namespace');
    });
  },
};
