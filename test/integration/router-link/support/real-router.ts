/** The real router, from the very files that its ConfigMap would hold. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { inferencePoolSpec } from '../../../../operator/api/inference-pool.ts';
import type { RouterEndpoint } from '../../../../operator/router/router-endpoints.ts';
import { readRouterTemplates, routerFiles } from '../../../../operator/router/router-files.ts';
import { closeAfterTest } from './fixtures.ts';

export interface RealRouter {
  endpoint: RouterEndpoint;
  /** Where clients connect. */
  url: string;
  /** Kills it and starts it anew, keeping its volume: what a restarted container does. */
  restart(options?: { loseVolume: boolean }): Promise<void>;
}

/** Starts a router as the pod `id`; it ends with the test. */
export async function startRealRouter(id: string, trustBundle: string): Promise<RealRouter> {
  const directory = await mkdtemp(join(tmpdir(), 'router-link-'));
  const conf = join(directory, 'conf');
  const volume = join(directory, 'volume');
  await mkdir(conf);
  const spec = inferencePoolSpec.parse({ accelerator: { type: 'A100' } });
  const pool = { apiVersion: 'v1', kind: 'InferencePool', metadata: { name: 'a100' }, spec };
  for (const [name, text] of Object.entries(
    routerFiles({ pool, trustBundle, templates: readRouterTemplates() }),
  )) {
    await writeFile(join(conf, name), text);
  }
  const address = `127.${randomInt(64, 128)}.${randomInt(256)}.${randomInt(1, 255)}`;
  let child = await start();
  closeAfterTest(async () => {
    await kill(child);
    await rm(directory, { recursive: true, force: true });
  });
  return {
    endpoint: { id, name: `router-${id}`, address: `${address}:8081`, ready: true, stopping: false },
    url: `http://${address}:8080`,
    async restart(options) {
      await kill(child);
      if (options?.loseVolume) await rm(volume, { recursive: true, force: true });
      child = await start();
    },
  };

  async function start(): Promise<ChildProcess> {
    await mkdir(volume, { recursive: true });
    const started = spawn('/bin/sh', [join(conf, 'start.sh')], {
      env: { PATH: process.env.PATH, VLLM_ROUTER_PREFIX: volume, VLLM_ROUTER_ADDRESS: address },
      stdio: ['ignore', 'ignore', 'inherit'],
      detached: true,
    });
    for (;;) {
      const up = await request(`http://${address}:8082/healthz`).then(
        async (response) => {
          await response.body.dump();
          return response.statusCode === 200;
        },
        () => false,
      );
      if (up) return started;
      if (started.exitCode !== null) throw new Error(`the router ended with code ${started.exitCode}`);
      await delay(20);
    }
  }
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  if (child.exitCode !== null || child.signalCode !== null) return;
  // The whole process group: start.sh is the parent of nginx.
  if (child.pid) process.kill(-child.pid, 'SIGKILL');
  await ended;
}
