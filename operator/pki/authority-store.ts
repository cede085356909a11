/** Stores the authority in a Secret in the operator's namespace. */
import { isKubeError } from '../kube/errors.ts';
import type { KubeObject, ObjectKey, ResourceType } from '../kube/object.ts';
import type { Permission } from '../kube/permission.ts';
import { SECRETS } from '../kube/resource-types.ts';
import type { IssueContext } from './certificates.ts';
import { type Authority, createAuthority, decodeAuthority, encodeAuthority, rotateAuthority } from './pki.ts';

interface Secret extends KubeObject {
  type?: string;
  data?: Record<string, string>;
}

/** The used part of KubeClient. */
interface SecretClient {
  get<T extends KubeObject>(
    type: ResourceType,
    key: ObjectKey,
    options?: { signal?: AbortSignal },
  ): Promise<T>;
  create<T extends KubeObject>(type: ResourceType, object: T, options?: { signal?: AbortSignal }): Promise<T>;
  patch<T extends KubeObject>(
    type: ResourceType,
    key: ObjectKey,
    patch: { merge: object },
    options?: { signal?: AbortSignal },
  ): Promise<T>;
}

/** Most lost races before giving up. Each lost race means that another writer succeeded. */
const MAX_ATTEMPTS = 5;

/** Name of the Secret with the operator's root key. */
const ROOT_SECRET = 'vllm-operator-root';

export const AUTHORITY_PERMISSIONS: readonly Permission[] = [
  { type: SECRETS, verbs: ['create'], ownNamespace: true },
  { type: SECRETS, verbs: ['get', 'patch'], names: [ROOT_SECRET], ownNamespace: true },
];

/**
 * Loads the authority, creates it if it does not exist, and rotates it when due. Safe with concurrent operators: the Secret
 * is created once, and only changed if it has not changed since it was read.
 */
export class AuthorityStore {
  readonly #client: SecretClient;
  readonly #key: Required<ObjectKey>;
  readonly #context: () => IssueContext;

  constructor(options: {
    client: SecretClient;
    namespace: string;
    /** Name of the Secret. */
    name?: string;
    now?: () => Date;
    random?: (bytes: number) => Uint8Array;
  }) {
    const { now = () => new Date(), random } = options;
    this.#client = options.client;
    this.#key = { namespace: options.namespace, name: options.name ?? ROOT_SECRET };
    this.#context = () => ({ now: now(), ...(random ? { random } : {}) });
  }

  /**
   * The current authority. Call it at start and every hour or so.
   * @throws {AuthorityError} if the Secret has other content. It is not overwritten.
   * @throws {KubeError}
   */
  async load(signal: AbortSignal): Promise<Authority> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#loadOnce(signal);
      } catch (error) {
        const lostRace = isKubeError(error, 'AlreadyExists', 'Conflict');
        if (!lostRace || attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  async #loadOnce(signal: AbortSignal): Promise<Authority> {
    const secret = await this.#read(signal);
    if (!secret) {
      const created = await createAuthority(this.#context());
      await this.#client.create<Secret>(SECRETS, this.#secret(created), { signal });
      return created;
    }
    const stored = await decodeAuthority(secret.data);
    const wanted = stored
      ? await rotateAuthority(stored, this.#context())
      : await createAuthority(this.#context());
    if (wanted !== stored) {
      const resourceVersion = secret.metadata.resourceVersion;
      await this.#client.patch<Secret>(
        SECRETS,
        this.#key,
        { merge: { metadata: { resourceVersion }, data: encodeAuthority(wanted) } },
        { signal },
      );
    }
    return wanted;
  }

  async #read(signal: AbortSignal): Promise<Secret | undefined> {
    try {
      return await this.#client.get<Secret>(SECRETS, this.#key, { signal });
    } catch (error) {
      if (isKubeError(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  #secret(authority: Authority): Secret {
    const data = Object.entries(encodeAuthority(authority)).flatMap(([key, value]) =>
      value === null ? [] : [[key, value]],
    );
    return {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { ...this.#key, labels: { 'app.kubernetes.io/managed-by': 'vllm-operator' } },
      type: 'Opaque',
      data: Object.fromEntries(data),
    };
  }
}
