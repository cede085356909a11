/** A user, as Kubernetes identifies users. */
export interface UserInfo {
  username: string;
  uid?: string;
  groups: readonly string[];
  extra: Readonly<Record<string, readonly string[]>>;
}

/** Group of all authenticated users. */
const AUTHENTICATED = 'system:authenticated';

/** Adds the group that every API server adds. */
export function authenticated(user: UserInfo): UserInfo {
  return user.groups.includes(AUTHENTICATED) ? user : { ...user, groups: [...user.groups, AUTHENTICATED] };
}
