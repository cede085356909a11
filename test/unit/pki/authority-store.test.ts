import { describe, expect, it } from 'vitest';
import { KubeError } from '../../../operator/kube/errors.ts';
import type { KubeObject, ObjectKey, ResourceType } from '../../../operator/kube/object.ts';
import { AuthorityStore } from '../../../operator/pki/authority-store.ts';
import { renewalTime } from '../../../operator/pki/certificates.ts';
import { type Authority, AuthorityError, CA_OVERLAP_MS } from '../../../operator/pki/pki.ts';

interface Secret extends KubeObject {
  data: Record<string, string>;
}

/** A server with at most one Secret, as strict about races as the real one. */
class SecretServer {
  secret: Secret | undefined;
  writes = 0;
  /** Runs once, between a client's read and its next write. */
  beforeNextWrite: (() => Promise<void>) | undefined;

  async get<T extends KubeObject>(_type: ResourceType, key: ObjectKey): Promise<T> {
    if (!this.secret) throw failure('NotFound');
    expect(key).toEqual({ namespace: 'vllm-system', name: 'vllm-operator-root' });
    return structuredClone(this.secret) as KubeObject as T;
  }

  async create<T extends KubeObject>(_type: ResourceType, object: T): Promise<T> {
    await this.#interfere();
    if (this.secret) throw failure('AlreadyExists');
    return this.#store(object as KubeObject as Secret) as KubeObject as T;
  }

  async patch<T extends KubeObject>(
    _type: ResourceType,
    _key: ObjectKey,
    { merge }: { merge: { metadata?: { resourceVersion?: string }; data?: Record<string, string | null> } },
  ): Promise<T> {
    await this.#interfere();
    if (!this.secret) throw failure('NotFound');
    const precondition = merge.metadata?.resourceVersion;
    if (precondition !== undefined && precondition !== this.secret.metadata.resourceVersion) {
      throw failure('Conflict');
    }
    const data = { ...this.secret.data };
    for (const [name, value] of Object.entries(merge.data ?? {})) {
      if (value === null) delete data[name];
      else data[name] = value;
    }
    return this.#store({ ...this.secret, data }) as KubeObject as T;
  }

  #store(secret: Secret): Secret {
    this.writes += 1;
    this.secret = { ...secret, metadata: { ...secret.metadata, resourceVersion: String(this.writes) } };
    return this.secret;
  }

  async #interfere(): Promise<void> {
    const interfere = this.beforeNextWrite;
    this.beforeNextWrite = undefined;
    await interfere?.();
  }
}

function failure(code: 'NotFound' | 'AlreadyExists' | 'Conflict'): KubeError {
  return new KubeError({ code, request: 'secret', message: code });
}

const START = new Date('2026-01-01T00:00:00Z');
const never = new AbortController().signal;

function storeOn(client: SecretServer, now = START) {
  const time = { now };
  return { time, store: new AuthorityStore({ client, namespace: 'vllm-system', now: () => time.now }) };
}
const afterRenewal = (authority: Authority) => renewalTime(authority.current.certificatePem);

describe('AuthorityStore', () => {
  it('makes the authority once and then only reads it', async () => {
    const server = new SecretServer();
    const first = await storeOn(server).store.load(never);
    expect(await storeOn(server).store.load(never)).toEqual(first);
    expect(server.writes).toBe(1);
    expect(server.secret).toMatchObject({ kind: 'Secret', type: 'Opaque' });
  });

  it('takes the authority of the operator that was faster', async () => {
    const server = new SecretServer();
    let winner: Authority | undefined;
    server.beforeNextWrite = async () => {
      winner = await storeOn(server).store.load(never);
    };
    expect(await storeOn(server).store.load(never)).toEqual(winner);
    expect(server.writes).toBe(1);
  });

  it('fills a Secret that was made empty for it', async () => {
    const server = new SecretServer();
    server.secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'vllm-operator-root', namespace: 'vllm-system', resourceVersion: '0' },
      data: {},
    };
    const made = await storeOn(server).store.load(never);
    expect(await storeOn(server).store.load(never)).toEqual(made);
  });

  it('rotates once when two operators find the same step due', async () => {
    const server = new SecretServer();
    const { store, time } = storeOn(server);
    const first = await store.load(never);
    const now = afterRenewal(first);
    time.now = now;
    let winner: Authority | undefined;
    server.beforeNextWrite = async () => {
      winner = await storeOn(server, now).store.load(never);
    };
    const introduced = await store.load(never);
    expect(introduced.next).toBeDefined();
    expect(introduced).toEqual(winner);
    expect(server.writes).toBe(2);
  });

  it('leaves no key of a retired authority behind', async () => {
    const server = new SecretServer();
    const { store, time } = storeOn(server);
    const first = await store.load(never);
    time.now = afterRenewal(first);
    await store.load(never);
    time.now = new Date(time.now.getTime() + CA_OVERLAP_MS);
    expect((await store.load(never)).previousCertificatePem).toBe(first.current.certificatePem);
    time.now = new Date(time.now.getTime() + CA_OVERLAP_MS);
    await store.load(never);
    expect(Object.keys(server.secret?.data ?? {}).sort()).toEqual(['ca.crt', 'ca.key', 'root.key']);
  });

  it('never overwrites what it cannot read', async () => {
    const server = new SecretServer();
    await storeOn(server).store.load(never);
    if (server.secret) server.secret.data['ca.key'] = 'AAAA';
    await expect(storeOn(server).store.load(never)).rejects.toBeInstanceOf(AuthorityError);
    expect(server.writes).toBe(1);
  });
});
