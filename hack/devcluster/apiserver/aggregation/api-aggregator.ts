import type { IncomingMessage, ServerResponse } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { CertificateAndKey } from '../../../../operator/pki/certificates.ts';
import { type ApiObject, timestamp } from '../api-object.ts';
import { trackUpdate } from '../apply/updater.ts';
import { sendText } from '../http-message.ts';
import { isObject, type Json, type JsonObject, numberAt, objectAt, objectsAt, stringAt } from '../json.ts';
import { type ServerContext, systemRequest, type UserInfo } from '../server-context.ts';
import { StatusError } from '../status-error.ts';
import { words } from '../words.ts';
import { managedWrite } from '../writes/common.ts';
import type { ServiceResolver } from './service-resolver.ts';

const COLLECTION = 'apiregistration.k8s.io/apiservices';
const SLICES = 'discovery.k8s.io/endpointslices';
const PROBE_MS = 5_000;
const TIMEOUT_MS = 5_000;
const HOP_HEADERS = words(`connection keep-alive transfer-encoding upgrade host authorization`);

/** Proxies the groups of APIServices to their backends, and updates their Available condition. */
export class ApiAggregator {
  readonly #server: ServerContext;
  readonly #resolve: ServiceResolver;
  readonly #client: CertificateAndKey;
  /** Discovery documents (APIResourceList) by group/version of backends that answer. */
  readonly #discovered = new Map<string, JsonObject>();

  /** @param client certificate that backends know this server by (front proxy) */
  constructor(server: ServerContext, resolve: ServiceResolver, client: CertificateAndKey) {
    this.#server = server;
    this.#resolve = resolve;
    this.#client = client;
  }

  start(): () => void {
    const probe = (): void => {
      for (const service of this.#remote()) void this.#probe(service.metadata.name);
    };
    const timer = setInterval(probe, PROBE_MS);
    timer.unref();
    const stop = this.#server.store.onChange((event) => {
      if (event.collection === SLICES) this.#endpointsChanged(event.object);
      if (event.collection !== COLLECTION) return;
      if (event.type === 'DELETED') this.#discovered.delete(keyOf(event.object));
      else if (event.type === 'ADDED' || specChanged(event.old, event.object))
        void this.#probe(event.object.metadata.name);
    });
    return () => {
      clearInterval(timer);
      stop();
    };
  }

  #endpointsChanged(slice: ApiObject): void {
    const name = slice.metadata.labels?.['kubernetes.io/service-name'];
    for (const each of this.#remote()) {
      const service = objectAt(each, 'spec', 'service');
      if (service.name === name && service.namespace === slice.metadata.namespace)
        void this.#probe(each.metadata.name);
    }
  }

  /** The APIService that serves a group's version from elsewhere. */
  find(group: string, version: string): ApiObject | undefined {
    const found = this.#server.store.get(COLLECTION, '', `${version}.${group}`);
    return found && isObject(found.spec) && isObject(found.spec.service) ? found : undefined;
  }

  /** Resource lists of all backends that answer, by group/version. */
  discovered(): ReadonlyMap<string, JsonObject> {
    return this.#discovered;
  }

  /** Sends a request on to the backend. Throws ServiceUnavailable when there is none. */
  async proxy(
    service: ApiObject,
    user: UserInfo,
    message: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const options = isAvailable(service) ? await this.#options(service, message.url ?? '/') : undefined;
    if (!options) {
      sendText(response, 503, 'service unavailable\n');
      return;
    }
    const headers: Record<string, string | string[]> = {};
    for (const [name, value] of Object.entries(message.headers)) {
      if (value !== undefined && !HOP_HEADERS.has(name) && !name.startsWith('impersonate-'))
        headers[name] = value;
    }
    headers['x-remote-user'] = user.username;
    headers['x-remote-group'] = user.groups;
    const upstream = httpsRequest({ ...options, method: message.method, headers });
    await new Promise<void>((resolve, reject) => {
      upstream.once('error', (error) =>
        reject(unavailable(`error trying to reach service: ${error.message}`)),
      );
      upstream.once('response', (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
        answer.once('end', resolve);
        answer.once('error', reject);
      });
      response.once('close', () => upstream.destroy());
      message.pipe(upstream);
    });
  }

  #remote(): ApiObject[] {
    return this.#server.store
      .list(COLLECTION)
      .filter((each) => isObject(each.spec) && isObject(each.spec.service));
  }

  async #options(service: ApiObject, path: string): Promise<RequestOptions | undefined> {
    const namespace = stringAt(service, 'spec', 'service', 'namespace');
    const name = stringAt(service, 'spec', 'service', 'name');
    const port = numberAt(service, 'spec', 'service', 'port') ?? 443;
    const backend = await this.#resolve(namespace, name, port);
    if (!backend) return undefined;
    const bundle = stringAt(service, 'spec', 'caBundle');
    const insecure = isObject(service.spec) && service.spec.insecureSkipTLSVerify === true;
    return {
      ...backend,
      path,
      servername: `${name}.${namespace}.svc`,
      cert: this.#client.certificatePem,
      key: this.#client.privateKeyPem,
      rejectUnauthorized: !insecure,
      ...(bundle === '' ? {} : { ca: Buffer.from(bundle, 'base64').toString('utf8') }),
    };
  }

  async #probe(name: string): Promise<void> {
    const service = this.#server.store.get(COLLECTION, '', name);
    if (!service || !isObject(service.spec) || !isObject(service.spec.service)) return;
    const key = keyOf(service);
    const { namespace, name: behind } = objectAt(service, 'spec', 'service');
    if (!this.#server.store.get('services', String(namespace), String(behind))) {
      this.#discovered.delete(key);
      const message = `service/${String(behind)} in ${JSON.stringify(namespace)} is not present`;
      this.#setAvailable(name, 'False', 'ServiceNotFound', message);
      return;
    }
    try {
      const options = await this.#options(service, `/apis/${key}`);
      if (!options) throw new Error(`no endpoints available for service "${String(behind)}"`);
      const list = await this.#fetch(options);
      if (!isObject(list)) throw new Error('no APIResourceList');
      this.#discovered.set(key, list);
      this.#setAvailable(name, 'True', 'Passed', 'all checks passed');
    } catch (error) {
      this.#discovered.delete(key);
      const why = error instanceof Error ? error.message : String(error);
      this.#setAvailable(
        name,
        'False',
        'FailedDiscoveryCheck',
        `failing or missing response from ${key}: ${why}`,
      );
    }
  }

  async #fetch(options: RequestOptions): Promise<Json> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const headers = {
      accept: 'application/json',
      'x-remote-user': 'system:kube-aggregator',
      'x-remote-group': 'system:masters',
    };
    const call = httpsRequest({ ...options, headers, timeout: TIMEOUT_MS }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      answer.once('end', () =>
        answer.statusCode === 200 ? resolve(text) : reject(new Error(`bad status: ${answer.statusCode}`)),
      );
      answer.once('error', reject);
    });
    call.once('timeout', () => call.destroy(new Error('timed out')));
    call.once('error', reject);
    call.end();
    return JSON.parse(await promise) as Json;
  }

  #setAvailable(name: string, status: string, reason: string, message: string): void {
    const service = this.#server.store.get(COLLECTION, '', name);
    if (!service) return;
    const known = objectsAt(service, 'status', 'conditions').find((each) => each.type === 'Available');
    if (known?.status === status && known.reason === reason && known.message === message) return;
    const since =
      known?.status === status ? stringAt(known, 'lastTransitionTime') : timestamp(this.#server.now());
    const condition = { type: 'Available', status, lastTransitionTime: since, reason, message };
    const next = { ...service, status: { conditions: [condition] } };
    const resource = this.#server.registry.collections().get(COLLECTION);
    if (!resource) throw new Error(`${COLLECTION} is not served`);
    const request = systemRequest('system:apiserver', 'kube-apiserver');
    const write = { server: this.#server, resource, namespace: '', name, subresource: 'status', request };
    this.#server.store.put(COLLECTION, trackUpdate(service, next, managedWrite(write, 'Update')));
  }
}

/** Whether the backend answered its last probe. A backend that has not been probed yet counts as available. */
function isAvailable(service: ApiObject): boolean {
  return objectsAt(service, 'status', 'conditions').every(
    (each) => each.type !== 'Available' || each.status !== 'False',
  );
}

function keyOf(service: ApiObject): string {
  return `${stringAt(service, 'spec', 'group')}/${stringAt(service, 'spec', 'version')}`;
}

function specChanged(old: ApiObject | undefined, now: ApiObject): boolean {
  return JSON.stringify(old?.spec) !== JSON.stringify(now.spec);
}

function unavailable(message: string): StatusError {
  return new StatusError(503, 'ServiceUnavailable', message);
}
