import type { KubeClient } from '../../../operator/kube/client.ts';
import { isKubeError } from '../../../operator/kube/errors.ts';
import { PODS } from '../../../operator/kube/resource-types.ts';
import type { Pod, PodStatus } from '../kinds.ts';

export interface PodStatusWriterOptions {
  /** The pod as the API server has it, and the status that it should have. */
  read: () => { pod: Pod; status: PodStatus };
  client: KubeClient;
  /** Waits before a failed write is tried again. */
  retry: (signal: AbortSignal) => Promise<void>;
  /** A write was refused for good. */
  onError: (error: unknown) => void;
  signal: AbortSignal;
}

/** Writes the status of one pod: one write at a time. Changes during a write are combined into the next one. */
export class PodStatusWriter {
  readonly #options: PodStatusWriterOptions;
  #written = '';
  #dirty = false;
  #writing: Promise<void> | undefined;
  #closed = false;

  constructor(options: PodStatusWriterOptions) {
    this.#options = options;
  }

  /** The status may have changed. */
  changed(): void {
    this.#dirty = true;
    // Several changes of one turn of the event loop are one write.
    this.#writing ??= Promise.resolve().then(() => this.#loop());
  }

  /** Resolves when the current status is written. */
  async flush(): Promise<void> {
    this.changed();
    await this.#writing;
  }

  /** No further write: the pod is gone. */
  close(): void {
    this.#closed = true;
  }

  async #loop(): Promise<void> {
    try {
      while (this.#dirty && !this.#closed && !this.#options.signal.aborted) {
        this.#dirty = false;
        await this.#write();
      }
    } catch (error) {
      if (!this.#options.signal.aborted) this.#options.onError(error);
    } finally {
      this.#writing = undefined;
    }
  }

  async #write(): Promise<void> {
    const { client, retry, signal } = this.#options;
    const { pod, status } = this.#options.read();
    const text = JSON.stringify(status);
    if (text === this.#written) return;
    const { name, namespace = '', uid } = pod.metadata;
    try {
      const merge = { metadata: { uid }, status };
      await client.patch(PODS, { namespace, name }, { merge }, { subresource: 'status', signal });
      this.#written = text;
    } catch (error) {
      if (isKubeError(error, 'NotFound')) {
        this.#closed = true;
        return;
      }
      if (!isKubeError(error) || !(error.retryable || error.code === 'Conflict')) throw error;
      this.#dirty = true;
      await retry(signal);
    }
  }
}
