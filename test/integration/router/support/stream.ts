/** Reads event streams in tests. */
import { request } from 'undici';

export interface OpenStream {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** Everything that arrived so far. */
  text(): string;
  /** Resolves when the stream has ended: whether properly, or by a broken connection. */
  ended: Promise<'complete' | 'broken'>;
  abort(): void;
}

/** Asks for a streamed chat completion; resolves when the answer begins. */
export async function openStream(
  url: string,
  body: object,
  path = '/v1/chat/completions',
  headers: Record<string, string> = {},
): Promise<OpenStream> {
  const abort = new AbortController();
  const response = await request(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ stream: true, ...body }),
    signal: abort.signal,
    headersTimeout: 120_000,
    bodyTimeout: 120_000,
  });
  let text = '';
  const ended = (async () => {
    try {
      for await (const chunk of response.body) text += (chunk as Buffer).toString();
      return 'complete';
    } catch {
      return 'broken';
    }
  })();
  return {
    status: response.statusCode,
    headers: response.headers,
    text: () => text,
    ended,
    abort: () => abort.abort(),
  };
}
