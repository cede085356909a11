/** A real Prometheus for a test: with rules, without a cluster of its own, and fast. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Watchdog } from '../../../hack/devcluster/node/watchdog.ts';
import { eventually } from '../../support/eventually.ts';

/** A line of a chart: its labels, and times in seconds with values. */
export interface Line {
  metric: Record<string, string>;
  values: [number, string][];
}

export interface FiringAlert {
  state: string;
  labels: Record<string, string>;
}

export interface Prometheus {
  /** The lines of a query from a time (in seconds since 1970) until now. */
  range(query: string, from: number): Promise<Line[]>;
  alerts(): Promise<FiringAlert[]>;
  /** Health of each target, by its job. */
  targets(): Promise<{ job: string; health: string; error: string }[]>;
  /** Problems with rules. */
  ruleErrors(): Promise<string[]>;
  close(): Promise<void>;
}

/** A port on which nothing listens now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Starts it in a directory, which has to be removed by the caller. */
export async function startPrometheus(
  directory: string,
  config: { scrape_configs: object[]; groups: object[]; interval: string },
  watchdog?: Watchdog,
): Promise<Prometheus> {
  await mkdir(directory, { recursive: true });
  const { interval, groups, scrape_configs } = config;
  await writeFile(join(directory, 'rules.yaml'), stringify({ groups }));
  const global = { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval };
  await writeFile(
    join(directory, 'prometheus.yaml'),
    stringify({ global, rule_files: ['rules.yaml'], scrape_configs }, { aliasDuplicateObjects: false }),
  );
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(
    'prometheus',
    [
      `--config.file=${directory}/prometheus.yaml`,
      `--storage.tsdb.path=${directory}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ],
    { detached: true, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  if (child.pid !== undefined) watchdog?.add(child.pid);
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  await eventually('Prometheus is ready', async () => {
    if (child.exitCode !== null) throw new Error(`Prometheus ended: ${log}`);
    return (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok ?? false;
  });

  const get = async <T>(path: string): Promise<T> => {
    const answer = (await (await fetch(`${url}/api/v1/${path}`)).json()) as { data: T; error?: string };
    if (answer.error !== undefined) throw new Error(`${path}: ${answer.error}`);
    return answer.data;
  };
  interface Target {
    labels: Record<string, string>;
    health: string;
    lastError: string;
  }
  return {
    async range(query, from) {
      const search = new URLSearchParams({
        query,
        start: String(from),
        end: String(Date.now() / 1000),
        step: '1',
      });
      return (await get<{ result: Line[] }>(`query_range?${search}`)).result;
    },
    alerts: async () => (await get<{ alerts: FiringAlert[] }>('alerts')).alerts,
    async targets() {
      const { activeTargets } = await get<{ activeTargets: Target[] }>('targets?state=active');
      return activeTargets.map(({ labels, health, lastError }) => ({
        job: labels.job ?? '',
        health,
        error: lastError,
      }));
    },
    async ruleErrors() {
      const all = await get<{ groups: { rules: { name: string; lastError?: string }[] }[] }>('rules');
      return all.groups
        .flatMap(({ rules }) => rules)
        .flatMap(({ name, lastError }) => (lastError ? [`${name}: ${lastError}`] : []));
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}
