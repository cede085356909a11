/** A small engine for tests: answers as vLLM does in shape, and fails on command. */
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { loopbackAddress } from './router.ts';

export interface EngineRequest {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface Engine {
  /** `ip:port`. */
  address: string;
  /** Every request that arrived, in order. */
  requests: EngineRequest[];
  /** Streams that are open now. */
  streams: Set<ServerResponse>;
  /** Decides on the answer of the next requests; default: echo, or a stream of ten events. */
  answer: (request: EngineRequest, response: ServerResponse) => void;
  /** Sends an event on every open stream. */
  push(data: string): void;
  /** Ends every open stream as vLLM does. */
  finish(): void;
  /** Breaks all connections off, as a process that is killed does, and listens no more. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

/** Starts an engine. Streams stay open until `finish`. */
export async function startEngine(at?: { host: string; port: number }): Promise<Engine> {
  const sockets = new Set<Socket>();
  const streams = new Set<ServerResponse>();
  const server: Server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const request = {
        method: incoming.method ?? '',
        path: incoming.url ?? '',
        headers: incoming.headers,
        body: Buffer.concat(chunks),
      };
      engine.requests.push(request);
      engine.answer(request, response);
    });
  });
  server.keepAliveTimeout = 5000;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at?.port ?? 0, at?.host ?? loopbackAddress(), resolve);
  });
  const { address, port } = server.address() as AddressInfo;

  const kill = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.resetAndDestroy();
    await closed;
  };
  const engine: Engine = {
    address: `${address}:${port}`,
    requests: [],
    streams,
    answer: (request, response) => answerLikeVllm(request, response, streams),
    push: (data) => {
      for (const stream of streams) stream.write(`data: ${data}\n\n`);
    },
    finish: () => {
      for (const stream of streams) stream.end('data: [DONE]\n\n');
    },
    kill,
    close: async () => {
      if (server.listening) await kill();
    },
  };
  return engine;
}

function answerLikeVllm(
  request: EngineRequest,
  response: ServerResponse,
  streams: Set<ServerResponse>,
): void {
  if (wantsStream(request.body)) {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.write('data: {"choices":[{"delta":{"role":"assistant"}}]}\n\n');
    streams.add(response);
    response.on('close', () => streams.delete(response));
    return;
  }
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ object: 'echo', path: request.path, length: request.body.length }));
}

function wantsStream(body: Buffer): boolean {
  try {
    return (JSON.parse(body.toString()) as { stream?: boolean }).stream === true;
  } catch {
    return false;
  }
}
