/** Manifests by owner, rendered anew only when what they follow from has changed: statuses change far more often. */
import type { Key } from '../../kube/key.ts';
import type { KubeObject } from '../../kube/object.ts';

export class KeptManifests {
  readonly #kept = new Map<Key, { of: readonly unknown[]; manifests: readonly KubeObject[] }>();

  /** What `render` returns, or returned before for an equal `of`. Not to be changed. */
  get(key: Key, of: readonly unknown[], render: () => KubeObject[]): readonly KubeObject[] {
    const kept = this.#kept.get(key);
    if (kept?.of.every((part, i) => part === of[i])) return kept.manifests;
    const manifests = render();
    this.#kept.set(key, { of, manifests });
    return manifests;
  }

  /** Drops an owner that is gone. */
  forget(key: Key): void {
    this.#kept.delete(key);
  }
}
