import type { KubeClient } from '../../../operator/kube/client.ts';
import { isKubeError } from '../../../operator/kube/errors.ts';
import { toKey } from '../../../operator/kube/key.ts';
import type { KubeObject, ResourceType } from '../../../operator/kube/object.ts';
import { CONFIG_MAPS, PERSISTENT_VOLUME_CLAIMS, SECRETS } from '../../../operator/kube/resource-types.ts';
import type { Store } from '../../../operator/kube/store.ts';
import type { DataObject } from '../kinds.ts';

export interface TokenRequest {
  namespace: string;
  serviceAccount: string;
  pod: { name: string; uid: string };
  audience?: string;
  expirationSeconds?: number;
}

/** A pod refers to an object or key that does not exist (yet): the container waits, as under a kubelet. */
export class MissingSourceError extends Error {
  readonly code = 'MISSING_SOURCE';

  constructor(message: string) {
    super(message);
    this.name = 'MissingSourceError';
  }
}

/**
 * The objects that volumes and environment of a pod refer to. They come from watched stores, or from the API server if a
 * store does not have them yet.
 */
export class PodSources {
  readonly #client: KubeClient;
  readonly #kinds: Readonly<Record<'configmap' | 'secret', [ResourceType, Store<DataObject>]>>;

  constructor(options: { client: KubeClient; configMaps: Store<DataObject>; secrets: Store<DataObject> }) {
    this.#client = options.client;
    this.#kinds = { configmap: [CONFIG_MAPS, options.configMaps], secret: [SECRETS, options.secrets] };
  }

  /** The values of a ConfigMap or Secret by key. Throws {@link MissingSourceError} when it does not exist and is not optional. */
  async data(
    kind: 'configmap' | 'secret',
    { namespace, name = '', optional }: { namespace: string; name?: string; optional?: boolean },
    signal: AbortSignal,
  ): Promise<Map<string, Buffer>> {
    const [type, store] = this.#kinds[kind];
    const known = store.get(toKey({ namespace, name }));
    const object = known ?? (await this.#get<DataObject>(type, namespace, name, signal));
    if (!object && !optional) throw new MissingSourceError(`${kind} "${name}" not found`);
    const values = (texts: Record<string, string> = {}, encoding: BufferEncoding): [string, Buffer][] =>
      Object.entries(texts).map(([key, text]) => [key, Buffer.from(text, encoding)]);
    return new Map([
      ...values(object?.data, kind === 'secret' ? 'base64' : 'utf8'),
      ...values(object?.binaryData, 'base64'),
    ]);
  }

  async claimExists(namespace: string, name: string, signal: AbortSignal): Promise<boolean> {
    return (await this.#get(PERSISTENT_VOLUME_CLAIMS, namespace, name, signal)) !== undefined;
  }

  /** A token of the pod's service account. */
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
