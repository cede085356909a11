/** The password of a pool's Redis. It is derived and never stored. */
import { createHash, hkdfSync } from 'node:crypto';

/** What a router needs to log in, and what the ACL file of Redis needs to accept it. */
export interface RedisCredentials {
  username: string;
  password: string;
  /** SHA-256 of the password in lower-case hex, as `#<hash>` in a Redis ACL. Safe to store in a ConfigMap. */
  passwordSha256: string;
}

/**
 * Derives the password by HKDF-SHA-256 (RFC 5869) from the root key, so that a pool has the same password after a restart
 * and with another leader. A pool that is created again has another UID and so another password. A higher `epoch` changes
 * the password of a pool.
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
