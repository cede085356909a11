import type { KubeClient } from '../../../operator/kube/client.ts';
import { isKubeError } from '../../../operator/kube/errors.ts';
import { toKey } from '../../../operator/kube/key.ts';
import type { KubeObject, ResourceType } from '../../../operator/kube/object.ts';
import { CONFIG_MAPS, PERSISTENT_VOLUME_CLAIMS, SECRETS } from '../../../operator/kube/resource-types.ts';
import type { Store } from '../../../operator/kube/store.ts';
import type { DataObject } from '../kinds.ts';
import type { PodSources, TokenRequest } from './pod-sources.ts';

/** What pods refer to, from watched stores; what a store does not have yet is asked for. */
export class StoreSources implements PodSources {
  readonly #client: KubeClient;
  readonly #configMaps: Store<DataObject>;
  readonly #secrets: Store<DataObject>;

  constructor(options: { client: KubeClient; configMaps: Store<DataObject>; secrets: Store<DataObject> }) {
    this.#client = options.client;
    this.#configMaps = options.configMaps;
    this.#secrets = options.secrets;
  }

  readonly configMap = (
    namespace: string,
    name: string,
    signal: AbortSignal,
  ): Promise<DataObject | undefined> => this.#find(CONFIG_MAPS, this.#configMaps, namespace, name, signal);

  readonly secret = (namespace: string, name: string, signal: AbortSignal): Promise<DataObject | undefined> =>
    this.#find(SECRETS, this.#secrets, namespace, name, signal);

  async claimExists(namespace: string, name: string, signal: AbortSignal): Promise<boolean> {
    return (await this.#get(PERSISTENT_VOLUME_CLAIMS, namespace, name, signal)) !== undefined;
  }

  async token(request: TokenRequest, signal: AbortSignal): Promise<string> {
    const { namespace, serviceAccount, pod, audience, expirationSeconds } = request;
    const answer = await this.#client.raw({
      method: 'POST',
      path: `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {
          ...(audience === undefined ? {} : { audiences: [audience] }),
          expirationSeconds: expirationSeconds ?? 3607,
          boundObjectRef: { kind: 'Pod', apiVersion: 'v1', ...pod },
        },
      }),
      signal,
    });
    return (JSON.parse(answer.text) as { status: { token: string } }).status.token;
  }

  async #find(
    type: ResourceType,
    store: Store<DataObject>,
    namespace: string,
    name: string,
    signal: AbortSignal,
  ): Promise<DataObject | undefined> {
    return (
      store.get(toKey({ namespace, name })) ?? (await this.#get<DataObject>(type, namespace, name, signal))
    );
  }

  async #get<T extends KubeObject>(
    type: ResourceType,
    namespace: string,
    name: string,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    try {
      return await this.#client.get<T>(type, { namespace, name }, { signal });
    } catch (error) {
      if (isKubeError(error, 'NotFound')) return undefined;
      throw error;
    }
  }
}
