/** The events of a watch: one JSON object per line. */
import { errorFromStatus, isStatus, KubeError } from './errors.ts';
import { textLines } from './json-lines.ts';
import type { KubeObject } from './object.ts';

export interface WatchEvent<T extends KubeObject> {
  /** BOOKMARK contains only a resourceVersion. All changes up to it have been sent. */
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  object: T;
}

/** Parses the body of a watch. Skips a line that the end of the connection truncated; the next watch sends it again. */
export async function* readWatch<T extends KubeObject>(
  chunks: AsyncIterable<Uint8Array>,
  request: string,
): AsyncGenerator<WatchEvent<T>> {
  for await (const line of textLines(chunks)) {
    const event = parseEvent(line, request);
    if (event.type === 'ERROR') {
      throw errorFromStatus(isStatus(event.object) ? event.object : {}, { request });
    }
    if (!isWatchEvent<T>(event)) {
      throw malformed(request, line);
    }
    yield event;
  }
}

function parseEvent(line: string, request: string): { type?: unknown; object?: unknown } {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch (error) {
    throw malformed(request, line, error);
  }
  if (typeof event !== 'object' || event === null) {
    throw malformed(request, line);
  }
  return event;
}

function isWatchEvent<T extends KubeObject>(event: {
  type?: unknown;
  object?: unknown;
}): event is WatchEvent<T> {
  const { type, object } = event;
  return (
    (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED' || type === 'BOOKMARK') &&
    typeof object === 'object' &&
    object !== null &&
    'metadata' in object
  );
}

function malformed(request: string, line: string, cause?: unknown): KubeError {
  return new KubeError({
    code: 'Malformed',
    request,
    message: `a line of ${line.length} characters is not a watch event`,
    cause,
  });
}
