import { groupVersion } from './api-object.ts';
import type { Resource } from './resource.ts';

/** The resources that are served now: built-in ones and those of CRDs. */
export class ResourceRegistry {
  readonly #byVersion = new Map<string, Map<string, Resource>>();
  /** Served versions of a group, the preferred one first. */
  readonly #groups = new Map<string, string[]>();
  #generation = 0;
  #collections: { generation: number; map: ReadonlyMap<string, Resource> } | undefined;

  /** Rises with each change, for caches of discovery and OpenAPI. */
  get generation(): number {
    return this.#generation;
  }

  add(resource: Resource): void {
    this.#generation++;
    const key = groupVersion(resource.group, resource.version);
    const known = this.#byVersion.get(key) ?? new Map<string, Resource>();
    known.set(resource.plural, resource);
    this.#byVersion.set(key, known);
    const versions = this.#groups.get(resource.group) ?? [];
    if (!versions.includes(resource.version)) versions.push(resource.version);
    versions.sort(compareVersions);
    this.#groups.set(resource.group, versions);
  }

  remove(group: string, version: string, plural: string): void {
    this.#generation++;
    const key = groupVersion(group, version);
    const known = this.#byVersion.get(key);
    known?.delete(plural);
    if (known && known.size > 0) return;
    this.#byVersion.delete(key);
    const versions = (this.#groups.get(group) ?? []).filter((name) => name !== version);
    if (versions.length === 0) this.#groups.delete(group);
    else this.#groups.set(group, versions);
  }

  find(group: string, version: string, plural: string): Resource | undefined {
    return this.#byVersion.get(groupVersion(group, version))?.get(plural);
  }

  /** The group names, core ('') first. */
  groups(): string[] {
    return [...this.#groups.keys()];
  }

  versions(group: string): string[] {
    return this.#groups.get(group) ?? [];
  }

  resources(group: string, version: string): Resource[] {
    return [...(this.#byVersion.get(groupVersion(group, version))?.values() ?? [])];
  }

  /** One resource for each collection, for controllers that go through everything. */
  collections(): ReadonlyMap<string, Resource> {
    if (this.#collections?.generation === this.#generation) return this.#collections.map;
    const out = new Map<string, Resource>();
    for (const group of this.groups()) {
      for (const version of this.versions(group)) {
        for (const resource of this.resources(group, version)) {
          if (!out.has(resource.collection)) out.set(resource.collection, resource);
        }
      }
    }
    this.#collections = { generation: this.#generation, map: out };
    return out;
  }
}

/** Kubernetes' order of versions: GA before beta before alpha, newest first, others by name. */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [parseVersion(a), parseVersion(b)];
  if (!x || !y) return x ? -1 : y ? 1 : a < b ? -1 : 1;
  return y.stage - x.stage || y.major - x.major || y.minor - x.minor;
}

function parseVersion(text: string): { stage: number; major: number; minor: number } | undefined {
  const parsed = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(text);
  if (!parsed) return undefined;
  const stage = parsed[2] === undefined ? 2 : parsed[2] === 'beta' ? 1 : 0;
  return { stage, major: Number(parsed[1]), minor: Number(parsed[3] ?? 0) };
}
