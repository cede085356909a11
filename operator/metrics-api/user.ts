/** Who sent a request, as Kubernetes names users. */
export interface UserInfo {
  username: string;
  uid?: string;
  groups: readonly string[];
  extra: Readonly<Record<string, readonly string[]>>;
}

/** Group of everybody whose name is known. */
const AUTHENTICATED = 'system:authenticated';

/** Adds the group that every API server adds. */
export function authenticated(user: UserInfo): UserInfo {
  return user.groups.includes(AUTHENTICATED) ? user : { ...user, groups: [...user.groups, AUTHENTICATED] };
}
