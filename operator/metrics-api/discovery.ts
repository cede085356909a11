/** Discovery documents of the metrics API, in the forms that the aggregator and kubectl read. */
import { METRICS_GROUP, METRICS_GROUP_VERSION, METRICS_VERSION } from './request-target.ts';

export interface Document {
  contentType: string;
  body: object;
}

const JSON_TYPE = 'application/json';
const AGGREGATED = `${JSON_TYPE};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList`;

const VERSION = { groupVersion: METRICS_GROUP_VERSION, version: METRICS_VERSION };
const GROUP = { name: METRICS_GROUP, versions: [VERSION], preferredVersion: VERSION };

/** Like other external metrics servers: one entry, without the individual metrics. */
const RESOURCES = [
  {
    name: 'externalmetrics',
    singularName: '',
    namespaced: true,
    kind: 'ExternalMetricValueList',
    verbs: ['get'],
  },
];

const OPENAPI_V2 = {
  swagger: '2.0',
  info: { title: 'vllm-operator external metrics', version: METRICS_VERSION },
  paths: {},
};

/** The document at a path, in the form that `accept` requests; undefined if there is none. */
export function discoveryDocument(path: string, accept: string): Document | undefined {
  switch (path) {
    case '/':
      return json({
        paths: ['/apis', `/apis/${METRICS_GROUP}`, `/apis/${METRICS_GROUP_VERSION}`, '/healthz'],
      });
    case '/apis':
      return wantsAggregated(accept)
        ? { contentType: AGGREGATED, body: aggregated() }
        : json({ kind: 'APIGroupList', apiVersion: 'v1', groups: [GROUP] });
    case `/apis/${METRICS_GROUP}`:
      return json({ kind: 'APIGroup', apiVersion: 'v1', ...GROUP });
    case `/apis/${METRICS_GROUP_VERSION}`:
      return json({
        kind: 'APIResourceList',
        apiVersion: 'v1',
        groupVersion: METRICS_GROUP_VERSION,
        resources: RESOURCES,
      });
    case '/openapi/v2':
      return json(OPENAPI_V2);
    case '/openapi/v3':
      return json({ paths: {} });
    default:
      return undefined;
  }
}

function json(body: object): Document {
  return { contentType: JSON_TYPE, body };
}

/** Whether the accepted types include aggregated discovery v2, with its parameters in any order. */
function wantsAggregated(accept: string): boolean {
  return accept.split(',').some((type) => {
    const parameters = new Set(type.split(';').map((part) => part.trim()));
    return AGGREGATED.split(';').every((part) => parameters.has(part));
  });
}

function aggregated(): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: [
      {
        metadata: { name: METRICS_GROUP, creationTimestamp: null },
        versions: [
          {
            version: METRICS_VERSION,
            freshness: 'Current',
            resources: RESOURCES.map(({ name, kind, verbs }) => ({
              resource: name,
              responseKind: { group: METRICS_GROUP, version: METRICS_VERSION, kind },
              scope: 'Namespaced',
              singularResource: '',
              verbs,
            })),
          },
        ],
      },
    ],
  };
}
