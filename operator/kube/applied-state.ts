/** What the applier knows about the objects it has applied. With it, objects that are up to date need no request. */
import { contains } from './contains.ts';
import type { KubeObject } from './object.ts';
import { compareResourceVersions } from './resource-version.ts';
import { stableHash } from './stable-hash.ts';

/** The result of the last apply of an object. */
interface Applied {
  /** Hash of the applied content. */
  hash: string;
  uid: string | undefined;
  resourceVersion: string;
  /** Hash of the returned object. */
  fingerprint: string;
}

/** How long the state of a deleted object is retained, to detect clients that delete it repeatedly. */
const KEEP_GONE_MS = 600_000;

export class AppliedState {
  readonly #applied = new Map<string, Applied>();
  readonly #goneAt = new Map<string, number>();
  readonly #fingerprints = new WeakMap<KubeObject, string>();
  readonly #hashAnnotation: string | undefined;

  /** `hashAnnotation` is the annotation with the hash of the applied content, if any. */
  constructor(hashAnnotation: string | undefined) {
    this.#hashAnnotation = hashAnnotation;
  }

  /**
   * Whether the object is as the last apply of the same content left it. `live` comes from the cache and may be older than
   * that apply.
   */
  inSync(
    id: string,
    hash: string,
    wanted: KubeObject,
    live: KubeObject | undefined,
    storeVersion: string,
  ): boolean {
    const known = this.#applied.get(id);
    const sent = known?.hash === hash ? known : undefined;
    if (live === undefined) {
      return sent !== undefined && compareResourceVersions(storeVersion, sent.resourceVersion) < 0;
    }
    const version = live.metadata.resourceVersion ?? '';
    if (sent !== undefined && compareResourceVersions(version, sent.resourceVersion) < 0) {
      return true;
    }
    if (this.#carriesHash(live, hash) || sent !== undefined) {
      return (
        contains(live, wanted) || (sent?.uid === live.metadata.uid && sent?.fingerprint === this.#of(live))
      );
    }
    return false;
  }

  /** Whether the same content was applied before. If it is no longer in place, another client has changed it. */
  wasApplied(id: string, hash: string): boolean {
    return this.#applied.get(id)?.hash === hash;
  }

  /** Whether an object that has lost its owner reference was applied by this operator. */
  recognizes(id: string, live: KubeObject): boolean {
    const known = this.#applied.get(id);
    return (
      (known !== undefined && known.uid === live.metadata.uid) ||
      (this.#hashAnnotation !== undefined && live.metadata.annotations?.[this.#hashAnnotation] !== undefined)
    );
  }

  /** Resource version after the last apply of an object. */
  lastVersion(id: string): string {
    return this.#applied.get(id)?.resourceVersion ?? '';
  }

  record(id: string, hash: string, result: KubeObject): void {
    this.#goneAt.delete(id);
    this.#applied.set(id, {
      hash,
      uid: result.metadata.uid,
      resourceVersion: result.metadata.resourceVersion ?? '',
      fingerprint: this.#of(result),
    });
  }

  /** Records a deletion, and returns the ids whose retention has expired. */
  gone(id: string, now: number): string[] {
    if (this.#applied.has(id)) {
      this.#goneAt.set(id, now);
    }
    const forgotten: string[] = [];
    for (const [old, at] of this.#goneAt) {
      if (now - at < KEEP_GONE_MS) {
        break;
      }
      this.#goneAt.delete(old);
      this.#applied.delete(old);
      forgotten.push(old);
    }
    return forgotten;
  }

  #carriesHash(live: KubeObject, hash: string): boolean {
    return this.#hashAnnotation !== undefined && live.metadata.annotations?.[this.#hashAnnotation] === hash;
  }

  /** Hash of everything that users and controllers set, without status and the server's bookkeeping. */
  #of(object: KubeObject): string {
    const known = this.#fingerprints.get(object);
    if (known !== undefined) {
      return known;
    }
    const { resourceVersion, generation, managedFields, ...metadata } = object.metadata;
    const fingerprint = stableHash({ ...object, metadata, status: undefined });
    this.#fingerprints.set(object, fingerprint);
    return fingerprint;
  }
}
