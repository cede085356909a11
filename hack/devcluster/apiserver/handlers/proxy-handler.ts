import { plainProxy } from '../aggregation/api-aggregator.ts';
import type { ServiceResolver } from '../aggregation/service-resolver.ts';
import { numberAt, objectsAt, stringAt } from '../json.ts';
import { badRequest, StatusError } from '../status-error.ts';
import { readStored } from '../writes/common.ts';
import { type HandlerState, type ResourceRequest, targetOf } from './resource-handler.ts';

/** Answers `pods/<name>/proxy/…` and `services/<name>/proxy/…`; the name may be `name:port` or `scheme:name:port`. */
export async function handleProxy(
  state: HandlerState,
  resolve: ServiceResolver,
  call: ResourceRequest,
): Promise<void> {
  const { info, resource, message, response } = call;
  const parts = info.name.split(':');
  const name = parts.length === 3 ? (parts[1] ?? '') : (parts[0] ?? '');
  const port = parts.length === 3 ? (parts[2] ?? '') : (parts[1] ?? '');
  if (parts.length === 3 && parts[0] === 'https') throw badRequest('https backends are not proxied');
  const object = readStored(state.server, { ...targetOf(call), name, subresource: '' });
  const search = new URL(message.url ?? '/', 'http://localhost').search;
  const path = `/${info.rest}${search}`;
  if (resource.plural === 'pods') {
    const host = stringAt(object, 'status', 'podIP');
    const first = objectsAt(object, 'spec', 'containers').flatMap((each) => objectsAt(each, 'ports'))[0];
    const number = Number(port) || numberAt(first, 'containerPort') || 80;
    if (host === '') throw new StatusError(503, 'ServiceUnavailable', `pod ${name} has no address`);
    await plainProxy({ host, port: number, path }, message, response);
    return;
  }
  const ports = objectsAt(object, 'spec', 'ports');
  const wanted =
    ports.find((each) => stringAt(each, 'name') === port || String(each.port) === port) ??
    (port === '' ? ports[0] : undefined);
  const backend = wanted && (await resolve(info.namespace, name, numberAt(wanted, 'port') ?? 0));
  if (!backend)
    throw new StatusError(503, 'ServiceUnavailable', `no endpoints available for service "${info.name}"`);
  await plainProxy({ ...backend, path }, message, response);
}
