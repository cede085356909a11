/** What tracing costs a router: throughput with 1 % of requests traced against none, in one run, as lines `metric value unit`. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RouteTable } from '../../../operator/router/route-table.ts';
import { type Router, startRouter } from '../../integration/router/support/router.ts';
import { engineAt, model, table } from '../../support/route-table.ts';
import { chat } from '../router/chat.ts';
import { PAIRS, printRate, printRatio } from '../router/fresh-processes.ts';
import { onlyWorker } from '../router/only-worker.ts';
import { startPlainNginx } from '../router/plain-nginx.ts';
import { compareThroughput, type Target, type Throughput } from '../router/throughput.ts';

const SAMPLING_RATIO = 0.01;
const WARM_UP = 60_000;

/** Measures pairs of new routers in turns, and checks that spans arrived. */
export async function run(signal: AbortSignal): Promise<void> {
  const without: Throughput[] = [];
  const traced: Throughput[] = [];
  let spans = 0;
  for (let pair = 0; pair < PAIRS; pair += 1) {
    const result = await measureNewProcesses(signal);
    without.push(result.without);
    traced.push(result.traced);
    spans += result.spans;
  }
  printRate('tracing_without', without);
  printRate('tracing_1_percent', traced);
  printRatio('tracing', without, traced, 'without');
  console.log(`tracing_spans ${spans} sent`);
}

async function measureNewProcesses(
  signal: AbortSignal,
): Promise<{ without: Throughput; traced: Throughput; spans: number }> {
  const directory = await mkdtemp(join(tmpdir(), 'tracing-bench-'));
  const plain = await startPlainNginx(directory);
  const collector = await startCollector();
  const routers: Router[] = [];
  const target = async (name: string, more: Partial<RouteTable>): Promise<Target> => {
    const wide = { ...model('m', [plain.engine]), endpoints: [engineAt(plain.engine, 1_000_000)] };
    const router = await startRouter({ workers: 1, table: table([wide], more) });
    routers.push(router);
    return { name, url: router.url, pid: await onlyWorker(join(router.directory, 'prefix/nginx.pid')) };
  };
  try {
    const tracing = {
      host: '127.0.0.1',
      port: collector.port,
      path: '/v1/traces',
      samplingRatio: SAMPLING_RATIO,
    };
    const targets = [await target('without', {}), await target('traced', { tracing })];
    const [without, traced] = await compareThroughput(targets, chat('m', 1024, 0.7), WARM_UP, signal);
    if (!without || !traced) throw new Error('nothing measured');
    const spans = /spans_total\{result="sent"\} (\d+)/.exec((await routers[1]?.metrics()) ?? '')?.[1];
    return { without, traced, spans: Number(spans ?? 0) };
  } finally {
    await Promise.all([...routers, plain, collector].map(async (item) => await item.close()));
    await rm(directory, { recursive: true, force: true });
  }
}

/** Says yes to all that comes, and looks at nothing of it but its length, so that it takes no time of the routers. */
async function startCollector(): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer((socket) => {
    let left = -1;
    socket.on('error', () => socket.destroy());
    socket.on('data', (data) => {
      const head = left < 0 ? data.toString('latin1', 0, 1024) : '';
      if (left < 0) left = head.indexOf('\r\n\r\n') + 4 + Number(/content-length: (\d+)/i.exec(head)?.[1]);
      left -= data.length;
      if (left <= 0) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the collector has no port');
  return {
    port: address.port,
    close: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}
