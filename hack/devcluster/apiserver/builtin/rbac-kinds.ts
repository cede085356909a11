import { ensureObject, equal, objectsAt, setDefault, stringAt, stringsAt } from '../json.ts';
import { fieldInvalid, fieldRequired } from '../object-meta.ts';
import type { Behaviour } from '../resource.ts';
import type { Cause } from '../status-error.ts';

const RBAC_GROUP = 'rbac.authorization.k8s.io';

/** Roles and ClusterRoles: as ValidatePolicyRule of Kubernetes. */
export const ROLES: Behaviour = {
  validate(object) {
    const causes: Cause[] = [];
    objectsAt(object, 'rules').forEach((rule, index) => {
      const at = `rules[${index}]`;
      const count = (field: string): number => stringsAt(rule, field).length;
      if (count('verbs') === 0)
        causes.push(fieldRequired(`${at}.verbs`, 'verbs must contain at least one value'));
      const urls = stringsAt(rule, 'nonResourceURLs');
      if (urls.length > 0) {
        const field = `${at}.nonResourceURLs`;
        if (object.kind === 'Role')
          causes.push(fieldInvalid(field, urls, 'namespaced rules cannot apply to non-resource URLs'));
        if (count('apiGroups') + count('resources') + count('resourceNames') > 0)
          causes.push(
            fieldInvalid(field, urls, 'rules cannot apply to both regular resources and non-resource URLs'),
          );
        return;
      }
      if (count('apiGroups') === 0)
        causes.push(fieldRequired(`${at}.apiGroups`, 'resource rules must supply at least one api group'));
      if (count('resources') === 0)
        causes.push(fieldRequired(`${at}.resources`, 'resource rules must supply at least one resource'));
    });
    return causes;
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
  validate(object, old) {
    const causes: Cause[] = [];
    if (old && !equal(old.roleRef, object.roleRef))
      causes.push(fieldInvalid('roleRef', object.roleRef ?? null, 'cannot change roleRef'));
    objectsAt(object, 'subjects').forEach((subject, index) => {
      if (
        object.kind === 'ClusterRoleBinding' &&
        subject.kind === 'ServiceAccount' &&
        stringAt(subject, 'namespace') === ''
      )
        causes.push(fieldRequired(`subjects[${index}].namespace`));
    });
    return causes;
  },
};
