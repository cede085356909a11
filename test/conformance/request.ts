/** Names that requests use: what the engines are started with (engines.ts). */
export const CHAT_MODEL = 'tiny';
export const EMBED_MODEL = 'tiny-embed';
export const RERANK_MODEL = 'tiny-rerank';
export const ADAPTER = 'tiny-adapter';

/** One request of the conformance suite. Requests of an engine are sent one after the other, in the order of the list. */
export interface ConformanceRequest {
  /** Unique for its engine; the key of the recorded answer. */
  name: string;
  /** POST when there is a body, else GET. */
  method?: string;
  path: string;
  /** Sent as JSON; a string is sent as it is. */
  body?: unknown;
  /** Beside `content-type: application/json`. */
  headers?: Readonly<Record<string, string>>;
}

type Entry = readonly [name: string, body: unknown, headers?: Record<string, string>];

/** Requests to one path, `defaults` under each body that is an object. */
export function requestsTo(
  path: string,
  defaults: Readonly<Record<string, unknown>>,
  entries: readonly Entry[],
): ConformanceRequest[] {
  return entries.map(([name, body, headers]) => ({
    name: `${path} ${name}`,
    path,
    body: typeof body === 'object' && body !== null && !Array.isArray(body) ? { ...defaults, ...body } : body,
    ...(headers && { headers }),
  }));
}
