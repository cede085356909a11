/** The password of a pool's Redis, derived, never stored. */
import { createHash, hkdfSync } from 'node:crypto';

/** What a router needs to log in, and what Redis' ACL file needs to admit it. */
export interface RedisCredentials {
  username: string;
  password: string;
  /** SHA-256 of the password in lower-case hex, as `#<hash>` in a Redis ACL; safe to put into a ConfigMap. */
  passwordSha256: string;
}

/**
 * Derives by HKDF-SHA-256 (RFC 5869) from the root key, so that the same pool has the same password after a restart or
 * with another leader. A pool that is deleted and made anew has another UID, and so another password; a higher `epoch`
 * changes the password of a pool that stays.
 */
export function redisCredentials(
  rootKey: Uint8Array,
  pool: { uid: string; epoch?: number },
): RedisCredentials {
  if (pool.uid === '')
    throw new RangeError('pool.uid: must not be empty, or two pools would share a password');
  const info = `vllm-operator redis ${pool.uid} ${pool.epoch ?? 0}`;
  const password = Buffer.from(hkdfSync('sha256', rootKey, new Uint8Array(), info, 32)).toString('base64url');
  return {
    username: 'router',
    password,
    passwordSha256: createHash('sha256').update(password).digest('hex'),
  };
}
