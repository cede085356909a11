/** An nginx that answers after known times, and streams that last as long as asked: what the load generator has to measure. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loopbackAddress } from '../../integration/router/support/router.ts';
import { eventually } from '../../support/eventually.ts';

export interface TimedServer {
  /** Answers each request after the next of `delaysMs`. */
  delayed: string;
  /** Streams `tokens` events, one every `everyMs`. */
  streaming: string;
  close(): Promise<void>;
}

export interface Times {
  delaysMs: readonly number[];
  tokens: number;
  everyMs: number;
}

const ANSWER =
  '{"choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":200,"completion_tokens":200}}';
const EVENT = '{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":" token"}}]}';
const LAST = '{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}';

/** Starts it with one worker. */
export async function startTimedServer(directory: string, times: Times): Promise<TimedServer> {
  const address = loopbackAddress();
  await mkdir(directory, { recursive: true });
  // A block of Lua in the configuration may not be that long.
  await writeFile(join(directory, 'delays.lua'), `return { ${times.delaysMs.join(',')} }`);
  await writeFile(join(directory, 'nginx.conf'), configuration(`${address}:8080`, times));
  const nginx = spawn('nginx', ['-e', 'stderr', '-p', `${directory}/`, '-c', join(directory, 'nginx.conf')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const close = async () => {
    const exited = new Promise<void>((resolve) => nginx.once('exit', () => resolve()));
    if (nginx.exitCode === null && nginx.kill('SIGTERM')) await exited;
  };
  const url = `http://${address}:8080`;
  try {
    await eventually('nginx answers', async () => (await fetch(url)).status === 404);
  } catch (error) {
    await close();
    throw error;
  }
  return { delayed: `${url}/delayed`, streaming: `${url}/streaming`, close };
}

/** The modules for Lua where they are files; some builds have them inside. */
function modules(): string {
  const build = execFileSync('sh', ['-c', 'nginx -V 2>&1'], { encoding: 'utf8' });
  const path = /--modules-path=(\S+)/.exec(build)?.[1] ?? '';
  return ['ndk_http_module', 'ngx_http_lua_module']
    .map((name) => join(path, `${name}.so`))
    .filter((file) => existsSync(file))
    .map((file) => `load_module ${file};\n`)
    .join('');
}

function configuration(listen: string, { tokens, everyMs }: Times): string {
  return `${modules()}daemon off; worker_processes 1; pid pid; error_log stderr warn;
events { worker_connections 16384; }
http {
  access_log off; client_body_buffer_size 1m; keepalive_requests 100000000; keepalive_timeout 300s;
  client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d; scgi_temp_path e;
  init_by_lua_block { next_delay, delays = 0, dofile(ngx.config.prefix() .. "delays.lua") }
  server {
    listen ${listen} backlog=8192;
    location / { return 404; }
    location /delayed/v1/chat { default_type application/json; content_by_lua_block {
      ngx.req.read_body()
      next_delay = next_delay % #delays + 1
      ngx.sleep(delays[next_delay] / 1000)
      ngx.print('${ANSWER}')
    } }
    location /streaming/v1/chat { default_type text/event-stream; content_by_lua_block {
      ngx.req.read_body()
      for _ = 1, ${tokens} do
        ngx.print('data: ${EVENT}\\n\\n')
        ngx.flush()
        ngx.sleep(${everyMs / 1000})
      end
      ngx.print('data: ${LAST}\\n\\ndata: {"choices":[],"usage":{"prompt_tokens":200,"completion_tokens":${tokens}}}\\n\\ndata: [DONE]\\n\\n')
    } }
  }
}
`;
}
