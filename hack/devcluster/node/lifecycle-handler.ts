import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { Container, HttpGet, LifecycleHandler } from '../kinds.ts';

/** Runs a command in the container and resolves to its exit code and the start of its output. */
export type Exec = (command: string[], signal: AbortSignal) => Promise<{ exitCode: number; output: string }>;

/** What a probe or lifecycle hook acts on. */
export interface HandlerTarget {
  podIp: string;
  container: Container;
  exec: Exec;
}

/** Outcome of a probe; `message` says what failed, in kubelet's words. */
export type HandlerResult = { ok: true } | { ok: false; message: string };

/** Runs an exec, HTTP or TCP handler once. Never rejects; an abort counts as a timeout. */
export async function runHandler(
  handler: LifecycleHandler,
  target: HandlerTarget,
  signal: AbortSignal,
): Promise<HandlerResult> {
  try {
    if (handler.exec) {
      const { exitCode, output } = await target.exec(handler.exec.command ?? [], signal);
      return exitCode === 0 ? { ok: true } : { ok: false, message: output.trim() || `exit code ${exitCode}` };
    }
    if (handler.httpGet) return await httpGet(handler.httpGet, target, signal);
    if (handler.tcpSocket) {
      const host = handler.tcpSocket.host || target.podIp;
      await connectOnce(host, portNumber(handler.tcpSocket.port, target.container), signal);
    }
    if ('grpc' in handler)
      throw new Error('probes of type grpc are not supported here: use httpGet, tcpSocket or exec');
    return { ok: true };
  } catch (error) {
    if (signal.aborted) return { ok: false, message: 'context deadline exceeded (Client.Timeout exceeded)' };
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

async function httpGet(get: HttpGet, target: HandlerTarget, signal: AbortSignal): Promise<HandlerResult> {
  const secure = get.scheme === 'HTTPS';
  const host = get.host || target.podIp;
  const port = portNumber(get.port, target.container);
  const headers = Object.fromEntries((get.httpHeaders ?? []).map((header) => [header.name, header.value]));
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const request = (secure ? httpsRequest : httpRequest)(
    {
      host,
      port,
      path: get.path || '/',
      headers: { 'user-agent': 'kube-probe/1.36', accept: '*/*', connection: 'close', ...headers },
      agent: false,
      signal,
      // kubelet does not verify certificates either: the pod is known by its address.
      ...(secure ? { rejectUnauthorized: false } : {}),
    },
    (response) => {
      response.resume();
      response.on('error', () => undefined);
      resolve(response.statusCode ?? 0);
    },
  );
  request.on('error', reject);
  request.end();
  const status = await promise;
  if (status >= 200 && status < 400) return { ok: true };
  return { ok: false, message: `HTTP probe failed with statuscode: ${status}` };
}

async function connectOnce(host: string, port: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ host, port, signal });
  socket.on('error', reject);
  socket.on('connect', resolve);
  try {
    await promise;
  } finally {
    socket.destroy();
  }
}

function portNumber(port: number | string, container: Container): number {
  const named = container.ports?.find((candidate) => candidate.name === port)?.containerPort;
  const number = named ?? Number(port);
  if (!Number.isInteger(number)) throw new Error(`couldn't find port ${port} in container ${container.name}`);
  return number;
}
