/** An API server, clients of it that count their requests, and a namespace and a kind to play with. */
import { randomBytes } from 'node:crypto';
import { Registry } from 'prom-client';
import { KubeClient } from '../../../../operator/kube/client.ts';
import { loadConnection } from '../../../../operator/kube/load-connection.ts';
import type { KubeObject } from '../../../../operator/kube/object.ts';
import { Reflector, type ReflectorOptions } from '../../../../operator/kube/reflector.ts';
import { NAMESPACES } from '../../../../operator/kube/resource-types.ts';
import { Transport } from '../../../../operator/kube/transport.ts';
import { eventually } from '../../../support/eventually.ts';
import { startTestApiServer } from '../../support/api-server.ts';
import { CUSTOM_RESOURCE_DEFINITIONS } from '../../support/definitions.ts';
import { WIDGETS, WIDGETS_NAME, type Widget } from './widgets.ts';

export interface Harness {
  client: KubeClient;
  /** Whether children go with their owners: without kube-controller-manager they stay. */
  collectsGarbage: boolean;
  namespace: string;
  /** A client of its own, and how many requests it has made, by method. */
  countingClient(fieldManager?: string): {
    client: KubeClient;
    requests: () => Promise<Record<string, number>>;
  };
  /** A running local copy; stopped with the harness. */
  cache<T extends KubeObject>(options: Omit<ReflectorOptions<T>, 'client'>): Promise<Reflector<T>>;
  signal: AbortSignal;
  widget(name: string, size?: number): Promise<Widget>;
  close(): Promise<void>;
}

export async function startHarness(): Promise<Harness> {
  const server = await startTestApiServer();
  const connection = await loadConnection({ kubeconfig: server.kubeconfig });
  const transports: Transport[] = [];
  const abort = new AbortController();
  const running: Promise<void>[] = [];
  const countingClient = (fieldManager = 'kube-test') => {
    const registry = new Registry();
    const transport = new Transport({ connection, registry });
    transports.push(transport);
    const requests = async () => {
      const byMethod: Record<string, number> = {};
      for (const { labels, value } of (await registry.getSingleMetric('rest_client_requests_total')?.get())
        ?.values ?? []) {
        const method = String((labels as Record<string, unknown>).method);
        byMethod[method] = (byMethod[method] ?? 0) + value;
      }
      return byMethod;
    };
    return { client: new KubeClient(transport, { fieldManager }), requests };
  };
  const { client } = countingClient();
  const namespace = `kube-test-${randomBytes(4).toString('hex')}`;
  await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  await installWidgets(client);
  return {
    client,
    collectsGarbage: server.hasControllers,
    namespace,
    countingClient,
    signal: abort.signal,
    async cache(options) {
      const reflector = new Reflector({ client, ...options });
      running.push(reflector.run(abort.signal));
      await reflector.waitForSync(abort.signal);
      return reflector;
    },
    widget: (name, size = 1) =>
      client.create<Widget>(WIDGETS, {
        apiVersion: `${WIDGETS.group}/v1`,
        kind: 'Widget',
        metadata: { name, namespace },
        spec: { size },
      }),
    async close() {
      abort.abort(new Error('test over'));
      await Promise.all(running);
      await client.delete(NAMESPACES, { name: namespace });
      if (!server.shared) {
        await client.delete(CUSTOM_RESOURCE_DEFINITIONS, { name: WIDGETS_NAME });
      }
      await Promise.all(transports.map((transport) => transport.close()));
      await server.close();
    },
  };
}

async function installWidgets(client: KubeClient): Promise<void> {
  const condition = {
    type: 'object',
    required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
    properties: {
      type: { type: 'string' },
      status: { type: 'string' },
      reason: { type: 'string' },
      message: { type: 'string' },
      observedGeneration: { type: 'integer', format: 'int64' },
      lastTransitionTime: { type: 'string', format: 'date-time' },
    },
  };
  const schema = {
    type: 'object',
    required: ['spec'],
    properties: {
      spec: { type: 'object', required: ['size'], properties: { size: { type: 'integer' } } },
      status: {
        type: 'object',
        properties: {
          observedGeneration: { type: 'integer', format: 'int64' },
          conditions: {
            type: 'array',
            items: condition,
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['type'],
          },
        },
      },
    },
  };
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: WIDGETS_NAME },
    spec: {
      group: WIDGETS.group,
      names: { kind: 'Widget', listKind: 'WidgetList', plural: 'widgets', singular: 'widget' },
      scope: 'Namespaced',
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schema },
          subresources: { status: {} },
        },
      ],
    },
  };
  await client.apply(CUSTOM_RESOURCE_DEFINITIONS, definition);
  await eventually('widgets are served', () => client.list(WIDGETS));
}
