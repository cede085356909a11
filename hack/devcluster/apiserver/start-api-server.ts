import { randomInt } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { builtinBehaviours } from './builtin/behaviours.ts';
import { builtinResources } from './builtin/builtin-resources.ts';
import { AddressRange } from './builtin/services.ts';
import { GarbageCollector } from './controllers/garbage-collector.ts';
import { initialNamespaces, NamespaceController } from './controllers/namespace-controller.ts';
import { DefinitionController } from './crd/definition-controller.ts';
import { ContinueTokens } from './handlers/continue-tokens.ts';
import type { HandlerState } from './handlers/resource-handler.ts';
import { route } from './handlers/route.ts';
import { sendError } from './http-message.ts';
import { ResourceRegistry } from './resource-registry.ts';
import { loadBuiltinApi } from './schema/builtin-schemas.ts';
import type { SchemaLookup } from './schema/resolve.ts';
import { TypeNodes } from './schema/type-node.ts';
import type { ServerContext } from './server-context.ts';
import { Store } from './store.ts';

/** How an API server is started. */
export interface ApiServerOptions {
  /** Port of the plain listener; 0 lets the system choose. */
  port?: number;
  /** Address that both listeners bind. */
  host?: string;
  now?: () => Date;
  /** First two numbers of the /16 that Services get their addresses from; by default 127.64 to 127.127. */
  serviceSubnet?: string;
}

/** A running API server. */
export interface ApiServer {
  /** Plain HTTP; requests act as cluster administrator. */
  url: string;
  store: Store;
  close(): Promise<void>;
}

/** Starts an API server with empty storage. */
export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const server = makeContext(options);
  const ends = new Set<() => void>();
  const state: HandlerState = {
    server,
    tokens: new ContinueTokens(),
    sessions: {
      add: (end) => {
        ends.add(end);
        return () => ends.delete(end);
      },
    },
  };
  const stops = [
    new DefinitionController(server, () => {}).start(),
    new GarbageCollector(server).start(),
    new NamespaceController(server, '').start(),
  ];
  for (const namespace of initialNamespaces(server.now())) server.store.put('namespaces', namespace);
  const listener = (message: IncomingMessage, response: ServerResponse): void => {
    route(state, message, response).catch((error: unknown) => sendError(response, error));
  };
  const plain = createServer({ keepAliveTimeout: 60_000 }, listener);
  const host = options.host ?? '127.0.0.1';
  const url = `http://${host}:${await listen(plain, options.port ?? 0, host)}`;
  return {
    url,
    store: server.store,
    close: async () => {
      for (const stop of stops) stop();
      for (const end of ends) end();
      await closeServer(plain);
    },
  };
}

function makeContext(options: ApiServerOptions): ServerContext {
  const builtin = loadBuiltinApi();
  const lookup: SchemaLookup = (name) => builtin.schemas[name];
  const types = new TypeNodes(lookup);
  const registry = new ResourceRegistry();
  const range = new AddressRange(options.serviceSubnet ?? `127.${64 + randomInt(64)}`);
  const behaviours = builtinBehaviours(range);
  for (const resource of builtinResources(builtin, types, behaviours)) registry.add(resource);
  return { store: new Store(), registry, builtin, lookup, types, now: options.now ?? (() => new Date()) };
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
