/** Starts a real redis-server, with a user and password as the operator's managed one has. */
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { usersAcl } from '../../../../operator/render/redis-config.ts';
import type { RouteRedis } from '../../../../operator/router/route-table.ts';
import { eventually } from '../../../support/eventually.ts';
import { loopbackAddress } from './router.ts';

export interface Redis {
  settings: RouteRedis;
  pid: number;
  /** Runs a command and returns what redis-cli prints. */
  command(...args: string[]): Promise<string>;
  close(): Promise<void>;
}

/** `at` brings one back where another was. */
export async function startRedis(at?: string): Promise<Redis> {
  const host = at ?? loopbackAddress();
  const settings = { host, port: 6379, username: 'router', password: 'secret' };
  const child = spawn('redis-server', ['-'], { stdio: ['pipe', 'ignore', 'ignore'] });
  child.stdin.end(
    `bind ${host}\nport 6379\nsave ""\nappendonly no\n${usersAcl(sha256(settings.password))}user admin on >secret ~* &* +@all\n`,
  );
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const run = promisify(execFile);
  const command = async (...args: string[]) =>
    (
      await run('redis-cli', [
        '-h',
        host,
        '--no-auth-warning',
        '--user',
        'admin',
        '--pass',
        'secret',
        ...args,
      ])
    ).stdout.trim();
  await eventually('redis answers', async () => (await command('PING')) === 'PONG', 10);
  return {
    settings,
    pid: child.pid ?? 0,
    command,
    close: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
