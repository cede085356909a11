import type { InferencePool } from '../api/types.ts';
import { REDIS_PATHS } from '../model/platform-pod-checks.ts';
import { quantityValue } from '../values/quantity.ts';
import { poolLabels } from './labels.ts';
import { child, type Manifest } from './manifest.ts';
import { configMapName, redisName } from './names.ts';

export const REDIS_PORT = 6379;

/** Directory of the Redis configuration. */
export const REDIS_CONFIG_PATH = REDIS_PATHS.config;

/** Memory for cached responses, in bytes. */
export function cacheBytes(pool: InferencePool): number {
  return Math.floor(quantityValue(pool.spec.responseCache.redis?.managed?.memory ?? '1Gi'));
}

/**
 * The commands that the routers use (operator/router/nginx): strings, counters and expiry. No listing, flushing or
 * administration.
 */
const ROUTER_COMMANDS = ['get', 'set', 'del', 'incrby', 'expire', 'pexpire', 'ping', 'auth'];

/** No persistence, because a restarted cache may be empty. Access is limited by a NetworkPolicy and the ACL. */
function redisConf(pool: InferencePool): string {
  return [
    `port ${REDIS_PORT}`,
    'protected-mode no',
    `aclfile ${REDIS_CONFIG_PATH}/users.acl`,
    `maxmemory ${cacheBytes(pool)}`,
    'maxmemory-policy allkeys-lru',
    'lazyfree-lazy-eviction yes',
    'save ""',
    'appendonly no',
    'tcp-keepalive 60',
    '',
  ].join('\n');
}

/** The Redis ACL file: only the routers' user, with the SHA-256 of its password. */
export function usersAcl(passwordSha256: string): string {
  const commands = ROUTER_COMMANDS.map((command) => `+${command}`).join(' ');
  return [
    'user default off resetkeys resetchannels -@all',
    `user router on #${passwordSha256} ~* resetchannels -@all ${commands}`,
    '',
  ].join('\n');
}

/** Configuration and users of a pool's Redis, with a hash of the password. Immutable, named after its content. */
export function renderRedisConfig(pool: InferencePool, passwordSha256: string): Manifest {
  const data = { 'redis.conf': redisConf(pool), 'users.acl': usersAcl(passwordSha256) };
  const name = configMapName(redisName(pool.metadata.name), data);
  return child(
    pool,
    { apiVersion: 'v1', kind: 'ConfigMap' },
    { name, labels: poolLabels('cache', pool.metadata) },
    { immutable: true, data },
  );
}
