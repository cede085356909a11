import type { Logger } from '../../../operator/kube/logger.ts';
import type { Store } from '../../../operator/kube/store.ts';
import { type Endpoint, type EndpointSlice, SERVICE_NAME_LABEL, type Service } from '../kinds.ts';
import { type Backend, TcpProxy } from './tcp-proxy.ts';

/** Kube-proxy's part: a {@link TcpProxy} for each TCP port of each Service with a ClusterIP of this machine. */
export class ServiceNetwork {
  readonly #services: Store<Service>;
  readonly #slices: Store<EndpointSlice>;
  readonly #log: Logger;
  /** By service, then by `address:port`. */
  readonly #proxies = new Map<string, Map<string, TcpProxy>>();
  readonly #subscriptions: (() => void)[] = [];

  constructor(options: { services: Store<Service>; slices: Store<EndpointSlice>; log: Logger }) {
    this.#services = options.services;
    this.#slices = options.slices;
    this.#log = options.log;
  }

  /** The slices' store needs the index `byService`, see {@link serviceOfSlice}. */
  start(): void {
    this.#subscriptions.push(
      this.#services.subscribe(({ key }) => this.#update(key)),
      this.#slices.subscribe(({ old, new: slice }) => {
        for (const key of new Set([old, slice].flatMap((s) => (s ? serviceOfSlice(s) : []))))
          this.#update(key);
      }),
    );
  }

  async close(): Promise<void> {
    for (const unsubscribe of this.#subscriptions) unsubscribe();
    await Promise.all(
      [...this.#proxies.values()].flatMap((ports) => [...ports.values()].map((proxy) => proxy.close())),
    );
    this.#proxies.clear();
  }

  #update(key: string): void {
    const service = this.#services.get(key);
    const proxies = this.#proxies.get(key) ?? new Map<string, TcpProxy>();
    const wanted = new Map<string, Backend[]>();
    const address = service?.spec.clusterIP;
    // Only loopback addresses are ours to listen on.
    if (service && address?.startsWith('127.')) {
      const slices = this.#slices.byIndex('byService', key);
      for (const port of service.spec.ports ?? []) {
        if ((port.protocol ?? 'TCP') !== 'TCP') continue;
        wanted.set(`${address}:${port.port}`, backendsOf(slices, port.name ?? ''));
      }
    }
    for (const [listen, proxy] of proxies) {
      if (wanted.has(listen)) continue;
      proxies.delete(listen);
      void proxy.close();
    }
    for (const [listen, backends] of wanted) {
      let proxy = proxies.get(listen);
      if (!proxy) {
        const [host = '', port = ''] = listen.split(':');
        proxy = new TcpProxy({
          listen: { host, port: Number(port) },
          onError: (error) =>
            this.#log.warn({ service: key, listen, err: error }, 'cannot listen for a service'),
        });
        proxies.set(listen, proxy);
      }
      proxy.setBackends(backends);
    }
    if (proxies.size > 0) this.#proxies.set(key, proxies);
    else this.#proxies.delete(key);
  }
}

/** Key of the service that a slice belongs to, as index `byService` of the slices' store. */
export function serviceOfSlice(slice: EndpointSlice): string[] {
  const name = slice.metadata.labels?.[SERVICE_NAME_LABEL];
  return name === undefined ? [] : [`${slice.metadata.namespace}/${name}`];
}

/** Ready endpoints; when there are none, those that still serve while they terminate, as kube-proxy chooses. */
function backendsOf(slices: readonly EndpointSlice[], portName: string): Backend[] {
  const select = (accept: (endpoint: Endpoint) => boolean): Backend[] =>
    slices.flatMap((slice) => {
      const port = slice.ports?.find((candidate) => (candidate.name ?? '') === portName)?.port;
      if (port === undefined || slice.addressType !== 'IPv4') return [];
      return (slice.endpoints ?? [])
        .filter(accept)
        .map((endpoint) => ({ host: endpoint.addresses[0] ?? '', port }));
    });
  const ready = select(({ conditions }) => conditions?.ready ?? true);
  if (ready.length > 0) return ready;
  return select(({ conditions }) => (conditions?.serving ?? false) && (conditions?.terminating ?? false));
}
