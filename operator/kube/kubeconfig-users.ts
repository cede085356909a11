/** Reads the fields of kubeconfig users that @kubernetes/client-node drops without an error. */
import { resolve } from 'node:path';
import { parse } from 'yaml';

/** Whom to impersonate besides `as`. Without them, requests would have another identity than the file says. */
const UNSUPPORTED = ['as-groups', 'as-uid', 'as-user-extra'] as const;

export interface KubeconfigUser {
  /** Absolute path of a file with the bearer token. */
  tokenFile?: string;
  /** The fields that are set and not supported. */
  unsupported: string[];
}

interface Kubeconfig {
  users?: {
    name: string;
    user?: { tokenFile?: string } & { [field in (typeof UNSUPPORTED)[number]]?: unknown };
  }[];
}

/** The users of a kubeconfig by name. `directory` is that of the file, to which paths in it are relative. */
export function kubeconfigUsers(text: string, directory: string): Map<string, KubeconfigUser> {
  const { users } = (parse(text) ?? {}) as Kubeconfig;
  return new Map(
    (users ?? []).map(({ name, user }) => {
      const unsupported = UNSUPPORTED.filter((field) => user?.[field] !== undefined && user[field] !== null);
      return [
        name,
        { ...(user?.tokenFile && { tokenFile: resolve(directory, user.tokenFile) }), unsupported },
      ];
    }),
  );
}
