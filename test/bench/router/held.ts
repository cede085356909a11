/** Memory that held requests take: ten thousand of them wait for models that sleep, of several namespaces that share a router fairly. */
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { startRouter } from '../../integration/router/support/router.ts';
import { eventually } from '../../support/eventually.ts';
import { model, rules, table } from '../../support/route-table.ts';

const HELD = 10_000;
const NAMESPACES = 10;

/** Prints what all processes of the router take, before and with the held requests. */
export async function measureHeld(signal: AbortSignal): Promise<void> {
  const router = await startRouter({
    workers: 2,
    table: table(
      Array.from({ length: NAMESPACES }, (_, i) =>
        model(`m${i}`, [], { namespace: `team-${i}`, admission: rules({ maxQueue: HELD }) }),
      ),
    ),
  });
  const sockets: Socket[] = [];
  try {
    const before = await memoryMiB(router.directory);
    for (let i = 0; i < HELD; i += 1) {
      signal.throwIfAborted();
      const messages = [{ role: 'user', content: 'x'.repeat(900) }];
      const body = JSON.stringify({ model: `m${i % NAMESPACES}`, messages });
      const message = `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      const socket = connect({ host: router.address, port: 8080 });
      socket.on('error', () => {});
      socket.write(message);
      sockets.push(socket);
      if (i % 500 === 499) await eventually('they are held', async () => (await held(router)) === i + 1);
    }
    const after = await memoryMiB(router.directory);
    console.log(`router_held_requests ${await held(router)} requests`);
    console.log(`router_memory_idle ${before.toFixed(1)} MiB`);
    console.log(`router_memory_with_held ${after.toFixed(1)} MiB`);
    console.log(`router_memory_per_held ${(((after - before) * 1024) / HELD).toFixed(1)} KiB`);
  } finally {
    for (const socket of sockets) socket.destroy();
    await router.close();
  }
}

async function held(router: {
  demand(): Promise<{ models: Record<string, { held: number }> }>;
}): Promise<number> {
  const { models } = await router.demand();
  return Object.values(models).reduce((sum, one) => sum + one.held, 0);
}

/** Proportional set size of the master and its workers. */
async function memoryMiB(directory: string): Promise<number> {
  const master = (await readFile(join(directory, 'prefix/nginx.pid'), 'utf8')).trim();
  const workers = (await readFile(`/proc/${master}/task/${master}/children`, 'utf8')).trim().split(' ');
  let total = 0;
  for (const pid of [master, ...workers]) {
    total += Number(/^Pss: +(\d+)/m.exec(await readFile(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
  }
  return total / 1024;
}
