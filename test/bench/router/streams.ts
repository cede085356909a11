/** A thousand streams at once: chunks lost, and what the router adds to each against plain nginx. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { startRouter } from '../../integration/router/support/router.ts';
import { engineAt, model, table } from '../../support/route-table.ts';
import { startPlainNginx } from './plain-nginx.ts';

const STREAMS = 1000;
const CHUNKS = 20;
const INTERVAL_MS = 250;

/** Prints the results. Both servers proxy to the same engine, one after the other. */
export async function measureStreams(signal: AbortSignal): Promise<void> {
  const open = new Set<ServerResponse>();
  const engine = createServer((incoming, response) => {
    incoming.resume().on('end', () => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': open\n\n');
      open.add(response);
      response.on('close', () => open.delete(response));
    });
  });
  await new Promise<void>((resolve) => engine.listen(0, '127.0.0.1', 4096, resolve));
  const address = `127.0.0.1:${(engine.address() as AddressInfo).port}`;
  const directory = await mkdtemp(join(tmpdir(), 'router-streams-'));
  const plain = await startPlainNginx(directory, address);
  const entry = model('m', [address]);
  const router = await startRouter({
    workers: 1,
    table: table([{ ...entry, endpoints: [engineAt(address, 100_000)] }]),
  });
  try {
    const results: Record<string, number[]> = { plain: [], router: [] };
    for (let round = 0; round < 3; round += 1) {
      for (const [name, url] of [
        ['plain', plain.url],
        ['router', router.url],
      ] as const) {
        signal.throwIfAborted();
        results[name]?.push(...(await oneThousand(url, open)));
      }
    }
    const expected = STREAMS * CHUNKS * 3;
    for (const name of ['plain', 'router']) {
      const latencies = (results[name] ?? []).sort((a, b) => a - b);
      const at = (q: number) => (latencies[Math.floor(latencies.length * q)] ?? Number.NaN).toFixed(2);
      console.log(`router_streams_${STREAMS}_${name}_lost ${expected - latencies.length} chunks`);
      console.log(`router_streams_${STREAMS}_${name}_p50 ${at(0.5)} ms`);
      console.log(`router_streams_${STREAMS}_${name}_p99 ${at(0.99)} ms`);
    }
  } finally {
    await Promise.all([router.close(), plain.close()]);
    engine.closeAllConnections();
    engine.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Opens the streams, sends on all of them, and returns how long each chunk took in ms. */
async function oneThousand(url: string, open: Set<ServerResponse>): Promise<number[]> {
  const agent = new Agent({ connections: STREAMS, headersTimeout: 60_000 });
  const latencies: number[] = [];
  const clients = Array.from({ length: STREAMS }, async () => {
    const { body } = await request(`${url}/v1/chat/completions`, {
      method: 'POST',
      body: '{"model":"m","stream":true,"stream_options":{"include_usage":true}}',
      dispatcher: agent,
    });
    for await (const chunk of body) {
      const now = performance.now();
      for (const [, sent] of (chunk as Buffer).toString().matchAll(/data: (\d+\.\d+)\n/g))
        latencies.push(now - Number(sent));
    }
  });
  while (open.size < STREAMS) await delay(20);
  const streams = [...open];
  for (let chunk = 0; chunk < CHUNKS; chunk += 1) {
    // Spread over the interval, as tokens of many conversations are.
    for (let i = 0; i < streams.length; i += 50) {
      for (const stream of streams.slice(i, i + 50))
        stream.write(`data: ${performance.now().toFixed(4)}\n\n`);
      await delay((INTERVAL_MS * 50) / streams.length);
    }
  }
  for (const stream of streams) stream.end('data: [DONE]\n\n');
  await Promise.all(clients);
  await agent.close();
  return latencies;
}
