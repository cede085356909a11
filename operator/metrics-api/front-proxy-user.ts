/** The user in the headers of a front proxy, parsed like headerrequest in k8s.io/apiserver. */
import type { RequestHeaderConfig } from './authentication-config.ts';
import type { UserInfo } from './user.ts';

/** All header values by lower-case name, as in Node's `headersDistinct`. */
export type Headers = Readonly<Record<string, readonly string[] | undefined>>;

/** Undefined if the headers name no user. The caller must verify that they come from the proxy. */
export function frontProxyUser(headers: Headers, config: RequestHeaderConfig): UserInfo | undefined {
  const username = first(headers, config.usernameHeaders);
  if (username === undefined) return undefined;
  const uid = first(headers, config.uidHeaders);
  return {
    username,
    ...(uid !== undefined && { uid }),
    groups: config.groupHeaders.flatMap((name) => headers[name] ?? []).filter((group) => group !== ''),
    extra: extras(headers, config.extraHeaderPrefixes),
  };
}

function first(headers: Headers, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = headers[name]?.[0];
    if (value) return value;
  }
  return undefined;
}

function extras(headers: Headers, prefixes: readonly string[]): Record<string, string[]> {
  const extra = new Map<string, string[]>();
  for (const prefix of prefixes) {
    for (const [name, values] of Object.entries(headers)) {
      if (!name.startsWith(prefix) || !values) continue;
      const key = unescapeKey(name.slice(prefix.length));
      extra.set(key, [...(extra.get(key) ?? []), ...values]);
    }
  }
  return Object.fromEntries(extra);
}

/** A key that is not escaped properly is used as it is. */
function unescapeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
