import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ApiAggregator } from '../aggregation/api-aggregator.ts';
import { authenticate } from '../auth/authenticate.ts';
import { authorize } from '../auth/authorize.ts';
import type { RbacAuthorizer } from '../auth/rbac.ts';
import type { ServiceAccountTokens } from '../auth/service-account-tokens.ts';
import { VIRTUAL_KINDS } from '../builtin/builtin-resources.ts';
import { sendJson, sendText } from '../http-message.ts';
import { parseRequestInfo, type RequestInfo } from '../request-info.ts';
import { noSuchResource, notImplemented } from '../status-error.ts';
import { assertServed } from './assert-served.ts';
import { assertSimulated } from './assert-simulated.ts';
import { discoveryAnswer, SERVER_VERSION } from './discovery.ts';
import { EMPTY_VERSION_2, openApiAnswer } from './openapi.ts';
import { handleBinding, handleEviction, handlePodLog, type PodLogs } from './pod-handler.ts';
import { type HandlerState, handleResource, type ResourceRequest } from './resource-handler.ts';
import { handleReview } from './review-handler.ts';
import { handleScale } from './scale-handler.ts';
import { handleTokenRequest } from './token-handler.ts';

/** All parts that answer requests. */
export interface Router extends HandlerState {
  rbac: RbacAuthorizer;
  accountTokens: ServiceAccountTokens;
  aggregator: ApiAggregator;
  podLogs(): PodLogs | undefined;
}

const HEALTH = ['/healthz', '/livez', '/readyz'];

/** Handles one request: authentication, authorization, then its handler. */
export async function route(
  router: Router,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(message.url ?? '/', 'http://localhost');
  const info = parseRequestInfo(message.method ?? 'GET', url);
  const user = authenticate({ tokens: router.accountTokens, rbac: router.rbac }, message);
  const { registry } = router.server;
  if (!info.isResource) {
    authorize(router.rbac, user, info);
    answerPath(router, info, message, response);
    return;
  }
  const remote = router.aggregator.find(info.group, info.version);
  const resource = remote ? undefined : registry.find(info.group, info.version, info.plural);
  if (!remote && !resource && !registry.versions(info.group).includes(info.version)) {
    sendText(response, 404, '404 page not found\n');
    return;
  }
  authorize(router.rbac, user, info);
  if (remote) await router.aggregator.proxy(remote, user, message, response);
  else if (resource) await dispatch(router, { info, resource, user, message, response });
  else throw noSuchResource();
}

async function dispatch(router: Router, call: ResourceRequest): Promise<void> {
  const { info, resource } = call;
  assertServed(resource, info);
  assertSimulated(resource, info);
  if (VIRTUAL_KINDS.has(resource.kind)) {
    await handleReview(router, { rbac: router.rbac, tokens: router.accountTokens }, call);
    return;
  }
  if (info.subresource === '' || info.subresource === 'status') {
    await handleResource(router, call);
    return;
  }
  switch (`${resource.plural}/${info.subresource}`) {
    case 'pods/log':
      return handlePodLog(router, router.podLogs(), call);
    case 'pods/binding':
      return handleBinding(router, call);
    case 'pods/eviction':
      return handleEviction(router, call);
    case 'pods/exec':
    case 'pods/attach':
    case 'pods/portforward':
    case 'pods/proxy':
    case 'services/proxy':
    case 'nodes/proxy':
    case 'namespaces/finalize':
      throw notImplemented(`${resource.plural}/${info.subresource} is not served here`);
    case 'serviceaccounts/token':
      return handleTokenRequest(router, router.accountTokens, call);
    default:
      return info.subresource === 'scale' ? handleScale(router, call) : handleResource(router, call);
  }
}

function answerPath(
  router: Router,
  info: RequestInfo,
  message: IncomingMessage,
  response: ServerResponse,
): void {
  const path = info.path.replace(/\/$/, '');
  if (HEALTH.some((each) => path === each || path.startsWith(`${each}/`))) {
    sendText(response, 200, 'ok');
    return;
  }
  if (path === '/version') {
    sendJson(response, 200, SERVER_VERSION);
    return;
  }
  if (path.startsWith('/openapi/v3')) {
    const document = openApiAnswer(router.server, path);
    if (document === undefined) sendText(response, 404, '404 page not found\n');
    else sendJson(response, 200, document);
    return;
  }
  if (path === '/openapi/v2') {
    response.setHeader('Content-Type', 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf');
    response.end(EMPTY_VERSION_2);
    return;
  }
  const remote = router.aggregator.discovered();
  const [, group = '', version = ''] = /^\/apis\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
  if (router.aggregator.find(group, version) && !remote.has(`${group}/${version}`)) {
    sendText(response, 503, 'service unavailable\n');
    return;
  }
  const found = discoveryAnswer(
    router.server.registry,
    remote,
    path,
    message.headers.accept ?? '',
    message.headers.host ?? '',
  );
  if (found) sendJson(response, 200, found.body, [], found.type);
  else sendText(response, 404, '404 page not found\n');
}
