/** One event of a watch. */
export interface WatchEvent {
  type: string;
  object: {
    metadata: { name: string; resourceVersion: string; annotations?: Record<string, string> };
    code?: number;
    reason?: string;
  };
}

/** The events of a watch as they come. */
export class EventLines {
  readonly events: WatchEvent[] = [];
  #rest = '';
  #more = Promise.withResolvers<void>();
  readonly #done: Promise<void>;

  readonly #wanted: (event: WatchEvent) => boolean;

  constructor(response: Response, wanted: (event: WatchEvent) => boolean = () => true) {
    this.#wanted = wanted;
    this.#done = this.#read(response);
  }

  /** Resolves when so many events have come, the stream ended, or the time is over. */
  async waitFor(count: number, limitMs: number): Promise<void> {
    const limit = AbortSignal.timeout(limitMs);
    const over = new Promise<void>((resolve) =>
      limit.addEventListener('abort', () => resolve(), { once: true }),
    );
    while ((this.events.length < count || count === 0) && !limit.aborted) {
      await Promise.race([this.#more.promise, over, this.#done]);
      if (await isSettled(this.#done)) return;
    }
  }

  async #read(response: Response): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body ?? []) this.#take(decoder.decode(chunk, { stream: true }));
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'AbortError') throw error;
    }
    if (this.#rest.trim() !== '') this.#add(this.#rest);
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') this.#add(line);
  }

  #add(line: string): void {
    const event = JSON.parse(line) as WatchEvent;
    if (!this.#wanted(event)) return;
    this.events.push(event);
    this.#more.resolve();
    this.#more = Promise.withResolvers();
  }
}

async function isSettled(promise: Promise<void>): Promise<boolean> {
  const pending = Symbol('pending');
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}
