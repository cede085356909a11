/** The files of a router's ConfigMap: nginx configuration and Lua modules, rendered for one pool. */
import { readdirSync, readFileSync } from 'node:fs';
import type { InferencePool } from '../api/types.ts';
import { routerDrainSeconds } from '../model/router-drain.ts';
import { routerBodiesBytes, routerConnections } from '../model/router-memory.ts';
import { quantityValue } from '../values/quantity.ts';
import { durationSeconds } from '../values/units.ts';

/** Relative to this module, or to the bundle that contains it. */
const NGINX_DIRECTORY = new URL('./nginx/', import.meta.url);

/** Default number of worker processes, and the maximum. More workers than CPUs would only share CPU time. */
const DEFAULT_WORKERS = 2;
const MAX_WORKERS = 32;
/** Range of the connections of one worker. nginx allocates some 400 bytes for each at the start. */
const MIN_CONNECTIONS = 512;
const MAX_CONNECTIONS = 16_384;
/** Most that nginx's `limit_conn` can count. */
const MAX_STREAMS = 65_535;

/** Values that may be inserted: nothing that nginx could parse as more than one word. */
const SAFE_VALUE = /^[A-Za-z0-9/._-]+$/;

/** The shipped configuration and Lua modules by name. Throws if the directory is missing. */
export function readRouterTemplates(): Readonly<Record<string, string>> {
  const names = readdirSync(NGINX_DIRECTORY).filter((name) => /\.(conf|lua|sh)$/.test(name));
  return Object.fromEntries(
    names.sort().map((name) => [name, readFileSync(new URL(name, NGINX_DIRECTORY), 'utf8')]),
  );
}

/**
 * Files by name. They depend only on pool settings, because a change restarts the routers. Model settings are in the route
 * table.
 * @param input.trustBundle PEM of the CAs whose client certificates the admin server accepts.
 */
export function routerFiles(input: {
  pool: InferencePool;
  trustBundle: string;
  templates: Readonly<Record<string, string>>;
}): Record<string, string> {
  const { templates } = input;
  const { router } = input.pool.spec;
  const workerProcesses = workers(router.resources);
  const connections = Math.min(
    MAX_CONNECTIONS,
    Math.max(MIN_CONNECTIONS, Math.floor(routerConnections(input.pool) / workerProcesses)),
  );
  const values: Record<string, string> = {
    WORKER_PROCESSES: String(workerProcesses),
    WORKER_CONNECTIONS: String(connections),
    MAX_STREAMS: String(Math.min(MAX_STREAMS, Math.floor((connections * workerProcesses) / 2))),
    DRAIN_TIMEOUT: nginxSeconds(`${routerDrainSeconds(input.pool)}s`),
    READ_TIMEOUT: nginxSeconds(router.readTimeout),
    MAX_BODY_SIZE: nginxBytes(router.maxBodySize),
    MAX_BODIES_SIZE: String(Math.min(Number.MAX_SAFE_INTEGER, routerBodiesBytes(input.pool))),
    ACCESS_LOG: '/dev/stdout',
  };
  return {
    ...templates,
    'nginx.conf': fillTemplate(templates['nginx.conf'] ?? '', values),
    'operator-ca.crt': input.trustBundle,
  };
}

/** Replaces every `@@NAME@@`. Throws RangeError for a missing or unsafe value. */
export function fillTemplate(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/@@([A-Z_]{1,64})@@/g, (_placeholder, name: string) => {
    const value = values[name];
    if (value === undefined) throw new RangeError(`nginx.conf: no value for @@${name}@@`);
    if (!SAFE_VALUE.test(value))
      throw new RangeError(`nginx.conf: @@${name}@@ cannot be ${JSON.stringify(value)}`);
    return value;
  });
}

function workers(resources: InferencePool['spec']['router']['resources']): number {
  const cpu = resources?.limits?.cpu ?? resources?.requests?.cpu;
  if (cpu === undefined) return DEFAULT_WORKERS;
  return Math.min(MAX_WORKERS, Math.max(1, Math.ceil(quantityValue(cpu))));
}

/** Clamped to one second up to a week, because nginx treats 0 as no timeout in some places and rejects large integers. */
function nginxSeconds(duration: string): string {
  return `${Math.min(604_800, Math.max(1, Math.ceil(durationSeconds(duration))))}s`;
}

/** At least one byte, because nginx treats 0 as no limit, and at most the largest safe integer. */
function nginxBytes(quantity: string): string {
  return String(Math.min(Number.MAX_SAFE_INTEGER, Math.max(1, Math.floor(quantityValue(quantity)))));
}
