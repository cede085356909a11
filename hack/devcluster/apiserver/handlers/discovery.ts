import { createHash } from 'node:crypto';
import { groupVersion } from '../api-object.ts';
import { type Json, type JsonObject, objectsAt, stringAt } from '../json.ts';
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
    if (parts.length === 1) return aggregated ? view.aggregated(['']) : { body: coreVersions(host) };
    return parts.length === 2 ? answered(view.list('', parts[1] ?? '')) : undefined;
  }
  if (parts[0] !== 'apis') return undefined;
  const [, group = '', version = ''] = parts;
  if (parts.length === 1) {
    const groups = view.groups();
    return aggregated ? view.aggregated(groups) : { body: view.groupList(groups) };
  }
  if (view.versions(group).length === 0) return undefined;
  if (parts.length === 2) return { body: { kind: 'APIGroup', apiVersion: 'v1', ...view.group(group) } };
  return parts.length === 3 ? answered(view.list(group, version)) : undefined;
}

function answered(body: JsonObject | undefined): DiscoveryAnswer | undefined {
  return body && { body };
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

  /** The APIResourceList of a version, undefined where it is not served. */
  list(group: string, version: string): JsonObject | undefined {
    const remote = this.#remote.get(`${group}/${version}`);
    if (remote) return remote;
    if (!this.#registry.versions(group).includes(version)) return undefined;
    const resources = this.#registry
      .resources(group, version)
      .flatMap((resource) => [listed(resource), ...resource.subresources]);
    const head = group === '' ? {} : { apiVersion: 'v1' };
    return { kind: 'APIResourceList', ...head, groupVersion: groupVersion(group, version), resources };
  }

  aggregated(groups: string[]): DiscoveryAnswer {
    const items = groups.map((group) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: this.versions(group).map((version) => ({
        version,
        resources: discovered(objectsAt(this.list(group, version), 'resources'), group, version),
        freshness: 'Current',
      })),
    }));
    return {
      body: { kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2', metadata: {}, items },
      type: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
    };
  }
}

function listed(resource: Resource): JsonObject {
  const { plural, singular, namespaced, kind, verbs, shortNames, categories } = resource;
  const hash = createHash('sha256').update(`${resource.group}/${resource.version}/${kind}`).digest();
  return {
    name: plural,
    singularName: singular,
    namespaced,
    kind,
    verbs,
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
    ...(verbs.includes('list') ? { storageVersionHash: hash.subarray(0, 8).toString('base64') } : {}),
  };
}

/** Entries of an APIResourceList as an APIGroupDiscoveryList has them: subresources within their resource. */
function discovered(entries: JsonObject[], group: string, version: string): JsonObject[] {
  const kindOf = (each: JsonObject): JsonObject => ({
    group,
    version,
    kind: '',
    ...pick(each, 'group', 'version', 'kind'),
  });
  return entries
    .filter((each) => !stringAt(each, 'name').includes('/'))
    .map((each) => {
      const prefix = `${stringAt(each, 'name')}/`;
      const below = entries.filter(({ name }) => String(name).startsWith(prefix));
      const subresources = below.map((other) => ({
        subresource: stringAt(other, 'name').slice(prefix.length),
        responseKind: kindOf(other),
        verbs: other.verbs ?? [],
      }));
      return {
        resource: each.name ?? '',
        responseKind: kindOf(each),
        scope: each.namespaced === true ? 'Namespaced' : 'Cluster',
        singularResource: each.singularName ?? '',
        ...pick(each, 'verbs', 'shortNames', 'categories'),
        ...(subresources.length > 0 ? { subresources } : {}),
      };
    });
}

function pick(object: JsonObject, ...keys: string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => keys.includes(key)));
}
