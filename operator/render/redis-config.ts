import type { InferencePool } from '../api/types.ts';
import { quantityValue } from '../values/quantity.ts';
import { poolLabels } from './labels.ts';
import { child, type Manifest } from './manifest.ts';
import { configMapName, redisName } from './names.ts';

export const REDIS_PORT = 6379;

/** Where Redis finds its configuration. */
export const REDIS_CONFIG_PATH = '/etc/redis';

/** Memory for cached answers in bytes. */
export function cacheBytes(pool: InferencePool): number {
  return Math.floor(quantityValue(pool.spec.responseCache.redis?.managed?.memory ?? '1Gi'));
}

/** What the routers use (operator/router/nginx): strings, counters and expiry. Nothing that lists, flushes or administers. */
const ROUTER_COMMANDS = ['get', 'set', 'del', 'incrby', 'expire', 'pexpire', 'ping', 'auth'];

/** No persistence: a cache that restarts is an empty cache. The network is closed by a NetworkPolicy and the ACL. */
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

/** The users of Redis' ACL file: the routers', by the SHA-256 of its password, and no other. */
export function usersAcl(passwordSha256: string): string {
  const commands = ROUTER_COMMANDS.map((command) => `+${command}`).join(' ');
  return [
    'user default off resetkeys resetchannels -@all',
    `user router on #${passwordSha256} ~* resetchannels -@all ${commands}`,
    '',
  ].join('\n');
}

/** Configuration and users of a pool's Redis, with the password as its hash only. Immutable, named by its content. */
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
