/** Starts the real router (nginx with its Lua modules, through start.sh) on an address of its own. */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import {
  type Authority,
  createAuthority,
  issueClientCertificate,
  trustBundle,
} from '../../../../operator/pki/pki.ts';
import { type UsageReport, usageReport } from '../../../../operator/router/protocol.ts';
import type { RouteTable } from '../../../../operator/router/route-table.ts';

/** A busy machine's Redis has a second, and no minute of limits ends while a test counts. */
const TEST_LIMITS = { redisTimeoutMs: 1000, rateWindowMs: 86_400_000 };

export interface RouterOptions {
  /** Routes to apply before it is handed over; without them it is not ready yet. */
  table?: RouteTable;
  workers?: number;
  /** Whose clients the admin port admits. Default: one of its own. */
  authority?: Authority;
  maxBodySize?: number;
  maxBodiesSize?: number;
  maxStreams?: number;
  readTimeout?: string;
  /** Further environment of start.sh. */
  env?: Record<string, string>;
  /** Directory that stays, to start another router on what this one kept. Default: a new one, removed on close. */
  directory?: string;
  /** The file system of a router image to run it in, as in a pod: read-only, as its user, without capabilities. Needs root. */
  rootfs?: string;
  /** Other limits in every table that is sent, where tests cannot wait for the real ones. */
  limits?: RouteTable['limits'];
}

export interface ModelDemand {
  inFlight: number;
  held: number;
  queued: number;
  ageMs: number;
  tier?: number;
}

export interface Demand {
  seq: number;
  version: number;
  models: Record<string, ModelDemand>;
}

export interface Router {
  /** Where clients connect, without a path. */
  url: string;
  adminUrl: string;
  metricsUrl: string;
  address: string;
  directory: string;
  /** Process id of start.sh. */
  pid: number;
  /** The operator's agent for the admin port. */
  admin: Agent;
  put(table: RouteTable | string): Promise<{ status: number; body: Record<string, unknown> }>;
  demand(since?: number, waitMs?: number): Promise<Demand>;
  /** What was counted since a batch. */
  usage(after?: number): Promise<UsageReport>;
  metrics(): Promise<string>;
  /** What the router wrote to standard error so far. */
  errors(): string;
  /** What it logged of requests so far. */
  accessLog(): Promise<string>;
  close(signal?: NodeJS.Signals): Promise<void>;
}

const SOURCE = join(import.meta.dirname, '../../../../operator/router/nginx');

/** An address of 127.0.0.0/8 that nobody else is likely to use. */
export function loopbackAddress(): string {
  return `127.${randomInt(64, 128)}.${randomInt(256)}.${randomInt(1, 255)}`;
}

/** Runs start.sh of `conf` in the root file system of an image: what the image lacks, the host cannot give. */
function inRootfs(rootfs: string, conf: string): readonly [string, ...string[]] {
  const script = `set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
mount -t tmpfs -o uid=65532,gid=65532,mode=0770 router "$1/var/lib/vllm-router"
mount --bind "$2" "$1/etc/vllm-router"
mount -o remount,bind,ro "$1/etc/vllm-router"
mount --rbind /dev "$1/dev"
mount --rbind /proc "$1/proc"
exec chroot "$1" setpriv --reuid 65532 --regid 65532 --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \\
  /bin/sh /etc/vllm-router/start.sh`;
  return ['unshare', '--mount', '--propagation', 'private', '/bin/sh', '-c', script, 'sh', rootfs, conf];
}

export async function startRouter(options: RouterOptions = {}): Promise<Router> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'router-')));
  const conf = join(directory, 'conf');
  const prefix = join(directory, 'prefix');
  await mkdir(prefix, { recursive: true });
  await cp(SOURCE, conf, { recursive: true });
  const authority = options.authority ?? (await createAuthority({ now: new Date() }));
  await writeFile(join(conf, 'operator-ca.crt'), trustBundle(authority));
  const values: Record<string, string> = {
    WORKER_PROCESSES: String(options.workers ?? 2),
    WORKER_CONNECTIONS: '16384',
    MAX_STREAMS: String(options.maxStreams ?? 8192),
    DRAIN_TIMEOUT: '60s',
    READ_TIMEOUT: options.readTimeout ?? '60s',
    MAX_BODY_SIZE: String(options.maxBodySize ?? 33554432),
    MAX_BODIES_SIZE: String(options.maxBodiesSize ?? 536870912),
    ACCESS_LOG: options.rootfs ? '/dev/stdout' : join(directory, 'access.log'),
  };
  const template = await readFile(join(conf, 'nginx.conf'), 'utf8');
  const filled = template.replace(/@@([A-Z_]+)@@/g, (whole, name: string) => values[name] ?? whole);
  await writeFile(join(conf, 'nginx.conf'), filled);

  const address = loopbackAddress();
  const [command, ...argv] = options.rootfs
    ? inRootfs(options.rootfs, conf)
    : (['/bin/sh', join(conf, 'start.sh')] as const);
  const child = spawn(command, argv, {
    env: {
      PATH: process.env.PATH,
      ...(options.rootfs ? {} : { VLLM_ROUTER_PREFIX: prefix }),
      VLLM_ROUTER_ADDRESS: address,
      ...options.env,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const pid = child.pid ?? 0;

  const client = await issueClientCertificate(authority, { now: new Date() });
  const admin = new Agent({
    connect: { cert: client.certificatePem, key: client.privateKeyPem, rejectUnauthorized: false },
  });
  const adminUrl = `https://${address}:8081`;
  const metricsUrl = `http://${address}:8082`;
  const router: Router = {
    url: `http://${address}:8080`,
    adminUrl,
    metricsUrl,
    address,
    directory,
    pid,
    admin,
    async put(table) {
      const body =
        typeof table === 'string'
          ? table
          : JSON.stringify({ limits: { ...TEST_LIMITS, ...options.limits }, ...table });
      const response = await request(`${adminUrl}/routes`, { method: 'PUT', body, dispatcher: admin });
      return { status: response.statusCode, body: (await response.body.json()) as Record<string, unknown> };
    },
    async usage(after = 0) {
      const { body } = await request(`${adminUrl}/usage?after=${after}`, { dispatcher: admin });
      return usageReport.parse(await body.json());
    },
    async demand(since = 0, waitMs = 0) {
      const response = await request(`${adminUrl}/demand?since=${since}&wait=${waitMs}ms`, {
        dispatcher: admin,
      });
      return (await response.body.json()) as Demand;
    },
    async metrics() {
      const response = await request(`${metricsUrl}/metrics`);
      return await response.body.text();
    },
    errors: () => errors,
    accessLog: async () => await readFile(join(directory, 'access.log'), 'utf8'),
    async close(signal = 'SIGKILL') {
      await admin.destroy();
      try {
        process.kill(signal === 'SIGKILL' ? -pid : pid, signal);
      } catch {
        // It has ended already.
      }
      await exited;
      if (!options.directory) await rm(directory, { recursive: true, force: true });
    },
  };
  try {
    await waitUntilUp(`${metricsUrl}/healthz`, () => child.exitCode);
    if (options.table) {
      const applied = await router.put(options.table);
      if (applied.status !== 200) throw new Error(`routes refused: ${JSON.stringify(applied)}`);
    }
  } catch (error) {
    await router.close();
    throw new Error(`the router did not start: ${errors}`, { cause: error });
  }
  return router;
}

async function waitUntilUp(url: string, exitCode: () => number | null): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt += 1) {
    if (exitCode() !== null) throw new Error(`exit code ${exitCode()}`);
    try {
      const response = await request(url);
      await response.body.dump();
      if (response.statusCode === 200) return;
    } catch {
      // Not listening yet.
    }
    await delay(25);
  }
  throw new Error(`${url} did not answer`);
}
