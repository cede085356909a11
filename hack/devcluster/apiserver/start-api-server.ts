import { randomInt } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { AddressPool } from '../network/address-pool.ts';
import { ApiAggregator } from './aggregation/api-aggregator.ts';
import { endpointSliceResolver } from './aggregation/service-resolver.ts';
import { bootstrapRbac } from './auth/bootstrap-rbac.ts';
import { type ClusterCertificates, makeClusterCertificates } from './auth/cluster-certificates.ts';
import { RbacAuthorizer } from './auth/rbac.ts';
import { ServiceAccountTokens } from './auth/service-account-tokens.ts';
import { builtinBehaviours } from './builtin/behaviours.ts';
import { builtinResources } from './builtin/builtin-resources.ts';
import { GarbageCollector } from './controllers/garbage-collector.ts';
import { initialObjects } from './controllers/initial-objects.ts';
import { NamespaceController } from './controllers/namespace-controller.ts';
import { DefinitionController } from './crd/definition-controller.ts';
import { ContinueTokens } from './handlers/continue-tokens.ts';
import type { PodLogs } from './handlers/pod-handler.ts';
import { type Router, route } from './handlers/route.ts';
import { sendError } from './http-message.ts';
import { ResourceRegistry } from './resource-registry.ts';
import { loadBuiltinApi } from './schema/builtin-schemas.ts';
import type { SchemaLookup } from './schema/resolve.ts';
import { TypeNodes } from './schema/type-node.ts';
import type { ServerContext } from './server-context.ts';
import { Store } from './store.ts';
import { WatchSessions } from './watch-sessions.ts';

/** How an API server is started. */
export interface ApiServerOptions {
  /** Port of the plain listener; by default the system chooses. */
  port?: number;
  /** Address that both listeners bind; 127.0.0.1 by default. */
  host?: string;
  /** Range that Services get their addresses from; by default a random 127.<64…127>.0.0/16. */
  serviceCidr?: string;
  /** Size of each collection's watch cache, in changes. */
  historyLimit?: number;
  now?: () => Date;
}

/** A running API server. */
export interface ApiServer {
  /** Plain HTTP; requests act as cluster administrator and may impersonate. */
  url: string;
  /** HTTPS with bearer tokens, client certificates and RBAC. */
  secureUrl: string;
  /** The CA of the HTTPS listener and of client certificates. */
  caPem: string;
  /** A kubeconfig of the administrator for the HTTPS listener. */
  adminKubeconfig(): string;
  /** A kubeconfig for the HTTPS listener with a token, for example one of a TokenRequest. */
  tokenKubeconfig(token: string): string;
  /** Sets the handler of `GET pods/<name>/log`. */
  servePodLogs(logs: PodLogs): void;
  /** Drops the history, as etcd's compaction does: watches and lists from older resourceVersions answer 410. */
  compact(): void;
  close(): Promise<void>;
}

/** Starts an API server with empty storage. Rejects when a port can't be bound. */
export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const server = makeContext(options);
  const host = options.host ?? '127.0.0.1';
  const certificates = await makeClusterCertificates(host, server.now());
  const sessions = new WatchSessions();
  const resolve = endpointSliceResolver(server.store, Math.random);
  const aggregator = new ApiAggregator(server, resolve, certificates.frontProxy);
  let podLogs: PodLogs | undefined;
  const router: Router = {
    server,
    tokens: new ContinueTokens(),
    sessions,
    rbac: new RbacAuthorizer(server.store),
    accountTokens: new ServiceAccountTokens(server.store, server.now),
    aggregator,
    podLogs: () => podLogs,
  };
  const stops = [
    new DefinitionController(server, (collection) => sessions.end(collection)).start(),
    new GarbageCollector(server).start(),
    new NamespaceController(server, certificates.ca).start(),
    aggregator.start(),
  ];
  bootstrapRbac(server.store, server.builtin, server.now());
  for (const { collection, object } of initialObjects(certificates, server.now()))
    server.store.put(collection, object);
  const listener = (message: IncomingMessage, response: ServerResponse): void => {
    route(router, message, response).catch((error: unknown) => sendError(response, error));
  };
  const plain = createServer({ keepAliveTimeout: 60_000 }, listener);
  const secure = createSecureServer(secureOptions(certificates), listener);
  const url = `http://${host}:${await listen(plain, options.port ?? 0, host)}`;
  const secureUrl = `https://${host}:${await listen(secure, 0, host)}`;
  const { admin, ca } = certificates;
  return {
    url,
    secureUrl,
    caPem: ca,
    adminKubeconfig: () =>
      kubeconfig(secureUrl, ca, {
        'client-certificate-data': base64(admin.certificatePem),
        'client-key-data': base64(admin.privateKeyPem),
      }),
    tokenKubeconfig: (token) => kubeconfig(secureUrl, ca, { token }),
    servePodLogs: (logs) => {
      podLogs = logs;
    },
    compact: () => {
      server.store.compact();
      router.tokens.clear();
    },
    close: async () => {
      for (const stop of stops) stop();
      sessions.endAll();
      await Promise.all([closeServer(plain), closeServer(secure)]);
    },
  };
}

/** Clients without a certificate need a token. */
function secureOptions({ server, ca }: ClusterCertificates): ServerOptions {
  const { certificatePem: cert, privateKeyPem: key } = server;
  return { cert, key, ca, requestCert: true, rejectUnauthorized: false, keepAliveTimeout: 60_000 };
}

function makeContext(options: ApiServerOptions): ServerContext {
  const builtin = loadBuiltinApi();
  const lookup: SchemaLookup = (name) => builtin.schemas[name];
  const types = new TypeNodes(lookup);
  const registry = new ResourceRegistry();
  const range = new AddressPool(options.serviceCidr ?? `127.${64 + randomInt(64)}.0.0/16`);
  const behaviours = builtinBehaviours(range);
  for (const resource of builtinResources(builtin, types, behaviours)) registry.add(resource);
  const store = new Store(options.historyLimit);
  return { store, registry, builtin, lookup, types, now: options.now ?? (() => new Date()) };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function kubeconfig(server: string, ca: string, user: Record<string, string>): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'devcluster', cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [{ name: 'user', user }],
    contexts: [{ name: 'devcluster', context: { cluster: 'devcluster', user: 'user' } }],
    'current-context': 'devcluster',
  });
}

async function listen(server: Server, port: number, host: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return (server.address() as AddressInfo).port;
}

async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
