import { createHash } from 'node:crypto';
import { groupVersion } from '../api-object.ts';
import type { Json, JsonObject } from '../json.ts';
import type { Resource } from '../resource.ts';
import type { ResourceRegistry } from '../resource-registry.ts';

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

const AGGREGATED = /as=APIGroupDiscoveryList/;

/** Answers discovery paths (`/api`, `/apis`, `/apis/<group>`, …); undefined for other paths. */
export function discoveryAnswer(
  registry: ResourceRegistry,
  path: string,
  accept: string,
  host: string,
): { body: Json; type?: string } | undefined {
  const parts = path.split('/').filter((part) => part !== '');
  const wantsAggregated = AGGREGATED.test(accept);
  if (parts[0] === 'api') {
    if (parts.length === 1)
      return wantsAggregated ? aggregated(registry, [''], accept) : { body: coreVersions(host) };
    if (parts.length === 2 && registry.versions('').includes(parts[1] ?? ''))
      return { body: resourceList(registry, '', parts[1] ?? '') };
    return undefined;
  }
  if (parts[0] !== 'apis') return undefined;
  const groups = registry.groups().filter((group) => group !== '');
  if (parts.length === 1)
    return wantsAggregated ? aggregated(registry, groups, accept) : { body: groupList(registry, groups) };
  const group = parts[1] ?? '';
  const versions = registry.versions(group);
  if (versions.length === 0) return undefined;
  if (parts.length === 2)
    return { body: { kind: 'APIGroup', apiVersion: 'v1', ...groupOf(registry, group) } };
  if (parts.length === 3 && versions.includes(parts[2] ?? ''))
    return { body: resourceList(registry, group, parts[2] ?? '') };
  return undefined;
}

function coreVersions(host: string): JsonObject {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: host }],
  };
}

function groupOf(registry: ResourceRegistry, group: string): JsonObject {
  const versions = registry
    .versions(group)
    .map((version) => ({ groupVersion: groupVersion(group, version), version }));
  return { name: group, versions, preferredVersion: versions[0] ?? {} };
}

function groupList(registry: ResourceRegistry, groups: string[]): JsonObject {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map((group) => groupOf(registry, group)) };
}

/** The hash that tells clients whether storage changed. */
function storageVersionHash(resource: Resource): string {
  const text = `${resource.group}/${resource.version}/${resource.kind}`;
  return createHash('sha256').update(text).digest().subarray(0, 8).toString('base64');
}

function resourceList(registry: ResourceRegistry, group: string, version: string): JsonObject {
  const resources = registry.resources(group, version).flatMap((resource) => [
    {
      name: resource.plural,
      singularName: resource.singular,
      namespaced: resource.namespaced,
      kind: resource.kind,
      verbs: resource.verbs,
      ...(resource.shortNames.length > 0 ? { shortNames: resource.shortNames } : {}),
      ...(resource.categories.length > 0 ? { categories: resource.categories } : {}),
      ...(resource.verbs.includes('list') ? { storageVersionHash: storageVersionHash(resource) } : {}),
    },
    ...resource.subresources,
  ]);
  return {
    kind: 'APIResourceList',
    ...(group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: groupVersion(group, version),
    resources,
  };
}

function aggregated(
  registry: ResourceRegistry,
  groups: string[],
  accept: string,
): { body: Json; type: string } {
  const version = /v=v2beta1/.test(accept) && !/v=v2(;|,|$)/.test(accept) ? 'v2beta1' : 'v2';
  const items = groups.map((group) => ({
    metadata: { name: group, creationTimestamp: null },
    versions: registry.versions(group).map((each) => ({
      version: each,
      resources: registry.resources(group, each).map((resource) => discoveredResource(resource)),
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

function discoveredResource(resource: Resource): JsonObject {
  return {
    resource: resource.plural,
    responseKind: { group: resource.group, version: resource.version, kind: resource.kind },
    scope: resource.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: resource.singular,
    verbs: resource.verbs,
    ...(resource.shortNames.length > 0 ? { shortNames: resource.shortNames } : {}),
    ...(resource.categories.length > 0 ? { categories: resource.categories } : {}),
    ...(resource.subresources.length > 0
      ? { subresources: resource.subresources.map((each) => discoveredSubresource(resource, each)) }
      : {}),
  };
}

function discoveredSubresource(resource: Resource, each: JsonObject): JsonObject {
  return {
    subresource: String(each.name).slice(resource.plural.length + 1),
    responseKind: {
      group: each.group ?? resource.group,
      version: each.version ?? resource.version,
      kind: each.kind ?? '',
    },
    verbs: each.verbs ?? [],
  };
}
