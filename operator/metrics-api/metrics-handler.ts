/** Handles one request of the metrics API: authentication, authorization, response. */
import type { IncomingMessage } from 'node:http';
import { LabelSelectorError, parseLabelSelector } from '../values/label-selector.ts';
import { REQUESTS_METRIC } from '../vllm/requests-metric.ts';
import type { AccessReviewer } from './access-reviewer.ts';
import { ApiError } from './api-error.ts';
import type { Authenticator } from './authenticator.ts';
import { type Document, discoveryDocument } from './discovery.ts';
import { type MetricSource, metricValueList } from './metric-values.ts';
import { accessAttributes, METRICS_GROUP, type RequestTarget, requestTarget } from './request-target.ts';
import type { UserInfo } from './user.ts';

export interface MetricsHandlerOptions {
  authenticator: Pick<Authenticator, 'userOf'>;
  access: Pick<AccessReviewer, 'review'>;
  source: MetricSource;
  /** Milliseconds since 1970. */
  now: () => number;
}

export type Answer = Document | { text: string };

/** The response, or an ApiError for a non-2xx response. Other errors are internal. */
export async function handleMetricsRequest(
  request: IncomingMessage,
  { authenticator, access, source, now }: MetricsHandlerOptions,
): Promise<Answer> {
  const method = request.method ?? 'GET';
  const target = requestTarget(request.url ?? '/');
  if (!target) throw new ApiError('BadRequest', 'the path cannot be decoded');
  if (target.kind === 'health') return { text: 'ok' };
  const user = await authenticator.userOf(request);
  if (!user) throw new ApiError('Unauthorized', 'Unauthorized');
  const verdict = await access.review(user, accessAttributes(target, method));
  if (!verdict.allowed) throw forbidden(user, target, method, verdict.reason);
  if (method !== 'GET' && method !== 'HEAD')
    throw new ApiError('MethodNotAllowed', 'the server does not allow this method on the requested resource');
  const accept = request.headers.accept ?? '*/*';
  if (!/\*\/\*|application\/(\*|json)/i.test(accept))
    throw new ApiError('NotAcceptable', 'only the following media types are accepted: application/json');
  return target.kind === 'metric'
    ? metric(target, source, now())
    : (discoveryDocument(target.path, accept) ?? notFound());
}

function metric(
  { namespace, metric: name, labelSelector }: Extract<RequestTarget, { kind: 'metric' }>,
  source: MetricSource,
  now: number,
): Answer {
  if (name !== REQUESTS_METRIC) {
    const message = `there is no external metric ${name}; vllm-operator serves ${REQUESTS_METRIC}`;
    throw new ApiError('NotFound', message, { details: { name, group: METRICS_GROUP } });
  }
  try {
    const selects = parseLabelSelector(labelSelector);
    return { contentType: 'application/json', body: metricValueList(source(namespace), selects, now) };
  } catch (error) {
    if (error instanceof LabelSelectorError) throw new ApiError('BadRequest', error.message);
    throw error;
  }
}

function notFound(): never {
  throw new ApiError('NotFound', 'the server could not find the requested resource');
}

/** The wording of kube-apiserver, which users search for. */
function forbidden(user: UserInfo, target: RequestTarget, method: string, reason: string): ApiError {
  const because = reason ? `: ${reason}` : '';
  if (target.kind !== 'metric') {
    const path = target.kind === 'path' ? target.path : '/';
    return new ApiError(
      'Forbidden',
      `forbidden: User "${user.username}" cannot ${method.toLowerCase()} path "${path}"${because}`,
    );
  }
  const verb = accessAttributes(target, method).verb;
  return new ApiError(
    'Forbidden',
    `${target.metric}.${METRICS_GROUP} is forbidden: User "${user.username}" cannot ${verb} resource ` +
      `"${target.metric}" in API group "${METRICS_GROUP}" in the namespace "${target.namespace}"${because}`,
    { details: { group: METRICS_GROUP, kind: target.metric } },
  );
}
