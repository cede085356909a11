import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendJson, sendText } from '../http-message.ts';
import { parseRequestInfo, type RequestInfo } from '../request-info.ts';
import type { UserInfo } from '../server-context.ts';
import { noSuchResource } from '../status-error.ts';
import { discoveryAnswer, SERVER_VERSION } from './discovery.ts';
import { type HandlerState, handleResource } from './resource-handler.ts';
import { handleScale } from './scale-handler.ts';

const ADMIN: UserInfo = { username: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] };

/** Answers one request. */
export async function route(
  state: HandlerState,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(message.url ?? '/', 'http://localhost');
  const info = parseRequestInfo(message.method ?? 'GET', url);
  if (!info.isResource) {
    answerPath(state, info, message, response);
    return;
  }
  const { registry } = state.server;
  const resource = registry.find(info.group, info.version, info.plural);
  if (!resource) {
    if (registry.versions(info.group).includes(info.version)) throw noSuchResource();
    sendText(response, 404, '404 page not found\n');
    return;
  }
  const call = { info, resource, user: ADMIN, message, response };
  if (info.subresource === 'scale') await handleScale(state, call);
  else await handleResource(state, call);
}

function answerPath(
  state: HandlerState,
  info: RequestInfo,
  message: IncomingMessage,
  response: ServerResponse,
): void {
  const path = info.path.replace(/\/$/, '');
  if (['/healthz', '/livez', '/readyz'].some((each) => path === each || path.startsWith(`${each}/`))) {
    sendText(response, 200, 'ok');
    return;
  }
  if (path === '/version') {
    sendJson(response, 200, SERVER_VERSION);
    return;
  }
  const found = discoveryAnswer(
    state.server.registry,
    path,
    message.headers.accept ?? '',
    message.headers.host ?? '',
  );
  if (!found) {
    sendText(response, 404, '404 page not found\n');
    return;
  }
  sendJson(response, 200, found.body);
  if (found.type) response.setHeader('Content-Type', found.type);
}
