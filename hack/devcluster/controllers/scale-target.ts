import type { KubeClient } from '../../../operator/kube/client.ts';
import type { KubeObject, ResourceType } from '../../../operator/kube/object.ts';

/** autoscaling/v1 Scale. */
export interface Scale extends KubeObject {
  spec: { replicas?: number };
  status?: { replicas: number; selector?: string };
}

/** Finds the resource of a scale target's kind by discovery. Caches the answers. */
export class ScaleTargets {
  readonly #client: KubeClient;
  readonly #types = new Map<string, ResourceType>();

  constructor(client: KubeClient) {
    this.#client = client;
  }

  /** Throws KubeError when the group version is not served, and an Error when it has no such kind. */
  async type(apiVersion: string, kind: string, signal: AbortSignal): Promise<ResourceType> {
    const id = `${apiVersion}/${kind}`;
    const known = this.#types.get(id);
    if (known) return known;
    const [version = '', group = ''] = apiVersion.split('/').reverse();
    const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
    const answer = await this.#client.raw({ path, signal });
    const { resources } = JSON.parse(answer.text) as {
      resources: { name: string; kind: string; namespaced: boolean }[];
    };
    const found = resources.find((resource) => resource.kind === kind && !resource.name.includes('/'));
    if (!found) throw new Error(`no matches for kind "${kind}" in version "${apiVersion}"`);
    const type = { group, version, kind, plural: found.name, namespaced: found.namespaced };
    this.#types.set(id, type);
    return type;
  }
}
