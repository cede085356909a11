import type { ServerResponse } from 'node:http';
import type { FailureSwitches } from '../failures.ts';
import { generationFailed } from './api-error.ts';

/** Server-sent events. What one engine tick produces goes out in one write. */
export class SseStream {
  readonly #response: ServerResponse;
  readonly #failures: () => FailureSwitches;
  #buffer = '';
  #events = 0;
  #flushing = false;
  #closed = false;

  constructor(response: ServerResponse, failures: () => FailureSwitches) {
    this.#response = response;
    this.#failures = failures;
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.flushHeaders();
  }

  /** True once the stream ended, by us or by a failure switch. */
  get closed(): boolean {
    return this.#closed || this.#response.destroyed;
  }

  /** Sends one event; `data` is one line, `name` the event's type where the protocol has types. */
  send(data: string, name?: string): void {
    if (this.closed) {
      return;
    }
    const { cutStreamAfter, errorStreamAfter } = this.#failures();
    if (cutStreamAfter !== null && this.#events >= cutStreamAfter) {
      this.#closed = true;
      this.#response.write(this.#buffer, () => this.#response.destroy());
      this.#buffer = '';
      return;
    }
    if (errorStreamAfter !== null && this.#events >= errorStreamAfter) {
      this.fail(generationFailed().body());
      return;
    }
    this.#events += 1;
    this.#buffer += name === undefined ? `data: ${data}\n\n` : `event: ${name}\ndata: ${data}\n\n`;
    this.#schedule();
  }

  /** Ends with an error event, as vLLM does when the status is already sent. */
  fail(body: unknown): void {
    if (!this.closed) {
      this.#buffer += `data: ${JSON.stringify(body)}\n\n`;
      this.end('[DONE]');
    }
  }

  /** Ends the stream; `last` is a final event's data. */
  end(last?: string): void {
    if (this.closed) {
      return;
    }
    this.#closed = true;
    const buffer = this.#buffer + (last === undefined ? '' : `data: ${last}\n\n`);
    this.#buffer = '';
    this.#response.end(buffer);
  }

  #schedule(): void {
    if (this.#flushing) {
      return;
    }
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      if (this.#buffer !== '' && !this.closed) {
        this.#response.write(this.#buffer);
        this.#buffer = '';
      }
    });
  }
}
