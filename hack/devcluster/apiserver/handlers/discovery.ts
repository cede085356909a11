import { createHash } from 'node:crypto';
import { groupVersion } from '../api-object.ts';
import { type Json, type JsonObject, objectsAt, stringAt, stringsAt } from '../json.ts';
import type { Resource } from '../resource.ts';
import { compareVersions, type ResourceRegistry } from '../resource-registry.ts';

/** Version of the API that is served. */
export const SERVER_VERSION = {
  major: '1',
  minor: '36',
  emulationMajor: '1',
  emulationMinor: '36',
  minCompatibilityMajor: '1',
  minCompatibilityMinor: '35',
  gitVersion: 'v1.36.0-devcluster',
  gitCommit: '0000000000000000000000000000000000000000',
  gitTreeState: 'clean',
  buildDate: '2026-04-22T00:00:00Z',
  goVersion: 'go1.26.0',
  compiler: 'gc',
  platform: 'linux/amd64',
} as const;

/** Resource lists of aggregated APIs by group/version. */
export type RemoteLists = ReadonlyMap<string, JsonObject>;

/** A discovery document; `type` when it is not plain JSON. */
export interface DiscoveryAnswer {
  body: Json;
  type?: string;
}

/** Answers discovery paths (`/api`, `/apis`, `/apis/<group>`, …); undefined for other paths. */
export function discoveryAnswer(
  registry: ResourceRegistry,
  remote: RemoteLists,
  path: string,
  accept: string,
  host: string,
): DiscoveryAnswer | undefined {
  const parts = path.split('/').filter((part) => part !== '');
  const aggregated = accept.includes('as=APIGroupDiscoveryList');
  const view = new DiscoveryView(registry, remote);
  if (parts[0] === 'api') {
    if (parts.length === 1) return aggregated ? view.aggregated([''], accept) : { body: coreVersions(host) };
    return parts.length === 2 ? view.list('', parts[1] ?? '') : undefined;
  }
  if (parts[0] !== 'apis') return undefined;
  const [, group = '', version = ''] = parts;
  if (parts.length === 1) {
    const groups = view.groups();
    return aggregated ? view.aggregated(groups, accept) : { body: view.groupList(groups) };
  }
  if (view.versions(group).length === 0) return undefined;
  if (parts.length === 2) return { body: { kind: 'APIGroup', apiVersion: 'v1', ...view.group(group) } };
  return parts.length === 3 ? view.list(group, version) : undefined;
}

function coreVersions(host: string): JsonObject {
  const addresses = [{ clientCIDR: '0.0.0.0/0', serverAddress: host }];
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: addresses };
}

class DiscoveryView {
  readonly #registry: ResourceRegistry;
  readonly #remote: RemoteLists;

  constructor(registry: ResourceRegistry, remote: RemoteLists) {
    this.#registry = registry;
    this.#remote = remote;
  }

  groups(): string[] {
    const local = this.#registry.groups().filter((group) => group !== '');
    const other = [...this.#remote.keys()].map((key) => key.split('/')[0] ?? '');
    return [...new Set([...local, ...other])];
  }

  versions(group: string): string[] {
    const other = [...this.#remote.keys()]
      .filter((key) => key.startsWith(`${group}/`))
      .map((key) => key.split('/')[1] ?? '');
    return [...new Set([...this.#registry.versions(group), ...other])].sort(compareVersions);
  }

  group(group: string): JsonObject {
    const versions = this.versions(group).map((version) => ({
      groupVersion: groupVersion(group, version),
      version,
    }));
    return { name: group, versions, preferredVersion: versions[0] ?? {} };
  }

  groupList(groups: string[]): JsonObject {
    return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map((group) => this.group(group)) };
  }

  list(group: string, version: string): DiscoveryAnswer | undefined {
    const remote = this.#remote.get(`${group}/${version}`);
    if (remote) return { body: remote };
    if (!this.#registry.versions(group).includes(version)) return undefined;
    const resources = this.#registry
      .resources(group, version)
      .flatMap((resource) => [listed(resource), ...resource.subresources]);
    const head = group === '' ? {} : { apiVersion: 'v1' };
    return {
      body: { kind: 'APIResourceList', ...head, groupVersion: groupVersion(group, version), resources },
    };
  }

  aggregated(groups: string[], accept: string): DiscoveryAnswer {
    const version = /v=v2beta1/.test(accept) && !/v=v2(;|,|$)/.test(accept) ? 'v2beta1' : 'v2';
    const items = groups.map((group) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: this.versions(group).map((each) => ({
        version: each,
        resources: this.#discovered(group, each),
        freshness: 'Current',
      })),
    }));
    return {
      body: {
        kind: 'APIGroupDiscoveryList',
        apiVersion: `apidiscovery.k8s.io/${version}`,
        metadata: {},
        items,
      },
      type: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
    };
  }

  #discovered(group: string, version: string): JsonObject[] {
    const remote = this.#remote.get(`${group}/${version}`);
    if (!remote) return this.#registry.resources(group, version).map(discoveredResource);
    return objectsAt(remote, 'resources').map((each) => ({
      resource: stringAt(each, 'name'),
      responseKind: { group, version, kind: stringAt(each, 'kind') },
      scope: each.namespaced === true ? 'Namespaced' : 'Cluster',
      singularResource: stringAt(each, 'singularName'),
      verbs: stringsAt(each, 'verbs'),
    }));
  }
}

function names(resource: Resource): JsonObject {
  return {
    ...(resource.shortNames.length > 0 ? { shortNames: resource.shortNames } : {}),
    ...(resource.categories.length > 0 ? { categories: resource.categories } : {}),
  };
}

function listed(resource: Resource): JsonObject {
  const { plural, singular, namespaced, kind, verbs } = resource;
  const hash = createHash('sha256').update(`${resource.group}/${resource.version}/${kind}`).digest();
  const stored = verbs.includes('list') ? { storageVersionHash: hash.subarray(0, 8).toString('base64') } : {};
  return { name: plural, singularName: singular, namespaced, kind, verbs, ...names(resource), ...stored };
}

function discoveredResource(resource: Resource): JsonObject {
  const { group, version, kind, plural, singular, namespaced, verbs, subresources } = resource;
  return {
    resource: plural,
    responseKind: { group, version, kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs,
    ...names(resource),
    ...(subresources.length > 0
      ? { subresources: subresources.map((each) => discoveredSubresource(resource, each)) }
      : {}),
  };
}

function discoveredSubresource(resource: Resource, each: JsonObject): JsonObject {
  const kind = {
    group: each.group ?? resource.group,
    version: each.version ?? resource.version,
    kind: each.kind ?? '',
  };
  return {
    subresource: stringAt(each, 'name').slice(resource.plural.length + 1),
    responseKind: kind,
    verbs: each.verbs ?? [],
  };
}
