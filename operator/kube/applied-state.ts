/** What the applier knows of the objects that it applied, so that it can tell without a request whether one is as it should be. */
import { contains } from './contains.ts';
import type { KubeObject } from './object.ts';
import { compareResourceVersions } from './resource-version.ts';
import { stableHash } from './stable-hash.ts';

/** The outcome of the last apply of an object. */
interface Applied {
  /** Of what was sent. */
  hash: string;
  uid: string | undefined;
  resourceVersion: string;
  /** Of what came back. */
  fingerprint: string;
}

/** How long the memory of a deleted object is kept, so that one who deletes it again and again is noticed. */
const KEEP_GONE_MS = 600_000;

export class AppliedState {
  readonly #applied = new Map<string, Applied>();
  readonly #goneAt = new Map<string, number>();
  readonly #fingerprints = new WeakMap<KubeObject, string>();
  readonly #hashAnnotation: string | undefined;

  /** `hashAnnotation` is the annotation that carries the hash of what was sent, if there is one. */
  constructor(hashAnnotation: string | undefined) {
    this.#hashAnnotation = hashAnnotation;
  }

  /**
   * Whether the object is as the last apply of the same content left it. `live` is what the local copy has; it may be
   * older than the last apply.
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

  /** Whether the same content was applied before: if it is not in place now, someone changed it. */
  wasApplied(id: string, hash: string): boolean {
    return this.#applied.get(id)?.hash === hash;
  }

  /** Whether an object that does not name its owner any more is one of ours all the same. */
  recognizes(id: string, live: KubeObject): boolean {
    const known = this.#applied.get(id);
    return (
      (known !== undefined && known.uid === live.metadata.uid) ||
      (this.#hashAnnotation !== undefined && live.metadata.annotations?.[this.#hashAnnotation] !== undefined)
    );
  }

  /** The version that the last apply of an object produced. */
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

  /** Notes that an object is gone, and returns the ids of those that have been for so long that they were forgotten now. */
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

  /** Hash of all that a user or controller sets: status and the server's bookkeeping do not count. */
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
