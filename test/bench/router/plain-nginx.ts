/** Plain nginx with `proxy_pass`, and an engine that answers at once: the two ends of the comparison. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loopbackAddress } from '../../integration/router/support/router.ts';
import { eventually } from '../../support/eventually.ts';

export interface PlainNginx {
  url: string;
  /** `ip:port` of the engine. */
  engine: string;
  workerPid: number;
  close(): Promise<void>;
}

const ANSWER = JSON.stringify({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: 'Hello, how can I help you today?' },
      finish_reason: 'stop',
    },
  ],
  usage: { prompt_tokens: 10, total_tokens: 20, completion_tokens: 10 },
});

/** Starts both. `upstream` is another engine to proxy to, without buffering, for streams. */
export async function startPlainNginx(directory: string, upstream?: string): Promise<PlainNginx> {
  const [address, engineAddress] = [loopbackAddress(), loopbackAddress()];
  const engine = `${engineAddress}:9000`;
  const engineServer = `server {
    listen ${engine} backlog=4096;
    location / { default_type application/json; return 200 '${ANSWER}'; }
  }`;
  const proxyServer = `upstream engines { server ${upstream ?? engine}; keepalive 256; keepalive_requests 100000000; }
  server {
    listen ${address}:8080 backlog=4096;
    location / {
      proxy_pass http://engines;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      ${upstream ? 'proxy_buffering off;' : ''}
    }
  }`;
  const children: ChildProcess[] = [];
  const start = async (name: string, server: string) => {
    const prefix = join(directory, name);
    await mkdir(prefix, { recursive: true });
    await writeFile(join(prefix, 'nginx.conf'), configuration(server));
    children.push(
      spawn('nginx', ['-e', 'stderr', '-p', `${prefix}/`, '-c', join(prefix, 'nginx.conf')], {
        stdio: 'ignore',
      }),
    );
    const worker = async () => {
      const master = (await readFile(join(prefix, 'pid'), 'utf8').catch(() => '')).trim();
      return (
        master && (await readFile(`/proc/${master}/task/${master}/children`, 'utf8').catch(() => '')).trim()
      );
    };
    await eventually(`${name} has a worker`, async () => (await worker()) !== '');
    return Number(await worker());
  };
  await start('engine', engineServer);
  const workerPid = await start('plain', proxyServer);
  return {
    url: `http://${address}:8080`,
    engine,
    workerPid,
    close: async () => {
      await Promise.all(
        children.map(async (child) => {
          const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
          if (child.exitCode === null && child.kill('SIGTERM')) await exited;
        }),
      );
    },
  };
}

function configuration(servers: string): string {
  return `daemon off; worker_processes 1; pid pid; error_log stderr warn;
events { worker_connections 8192; }
http {
  access_log access.log combined buffer=64k;
  client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d; scgi_temp_path e;
  client_body_buffer_size 1m; client_max_body_size 64m; keepalive_requests 100000000;
  ${servers}
}
`;
}
