import { watch } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

const CHUNK_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

export interface LogOptions {
  /** Only so many lines from the end. */
  tailLines?: number;
  /** No more than so many bytes. */
  limitBytes?: number;
  /** Stay and send what is appended, until `ended` resolves. */
  follow?: boolean;
  /** Resolves when nothing will be appended any more. */
  ended: Promise<unknown>;
}

/** Reads a container's log file. Ends early, without an error, when the signal is aborted. */
export async function* readLog(
  path: string,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const file = await open(path, 'r');
  const following = new AbortController();
  let changed = Promise.withResolvers<void>();
  let live = options.follow ?? false;
  const wake = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const finish = (): void => {
    live = false;
    wake();
  };
  try {
    if (live) {
      watch(path, { signal: following.signal, persistent: false }, wake).on('error', finish);
      signal.addEventListener('abort', finish, { once: true });
      void options.ended.then(finish, finish);
    }
    let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
    let position = options.tailLines === undefined ? 0 : await tailPosition(file, options.tailLines);
    while (left > 0 && !signal.aborted) {
      // Taken before the read: what is appended during it wakes us.
      const next = changed.promise;
      const last = !live;
      const { buffer, bytesRead } = await file.read(
        Buffer.alloc(Math.min(CHUNK_BYTES, left)),
        0,
        undefined,
        position,
      );
      if (bytesRead > 0) {
        position += bytesRead;
        left -= bytesRead;
        yield buffer.subarray(0, bytesRead);
      } else if (last) {
        return;
      } else {
        await next;
      }
    }
  } finally {
    following.abort();
    signal.removeEventListener('abort', finish);
    await file.close();
  }
}

/** Offset where the last lines begin. */
async function tailPosition(file: FileHandle, lines: number): Promise<number> {
  let end = (await file.stat()).size;
  if (lines <= 0) return end;
  let found = 0;
  let final = true;
  while (end > 0) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const { buffer } = await file.read(Buffer.alloc(end - start), 0, end - start, start);
    for (let i = buffer.length - 1; i >= 0; i--) {
      // The newline that ends the last line begins no further one.
      if (buffer[i] === NEWLINE && !final) found++;
      final = false;
      if (found === lines) return start + i + 1;
    }
    end = start;
  }
  return 0;
}
