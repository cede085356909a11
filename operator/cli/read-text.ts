/** Reads text files that may be anything. */
import { closeSync, openSync, readSync } from 'node:fs';

/** More than manifests and prompts have, and little enough to be parsed in seconds. */
const MAX_BYTES = 16 * 2 ** 20;

/** The text of a file (`-` is standard input). Throws RangeError if it is too large or no text. */
export function readText(file: string): string {
  const descriptor = file === '-' ? 0 : openSync(file, 'r');
  try {
    const parts: Buffer[] = [];
    for (let size = 0; ; ) {
      const part = Buffer.alloc(2 ** 16);
      const read = readSync(descriptor, part);
      if (read === 0) break;
      size += read;
      if (size > MAX_BYTES) throw new RangeError('it is larger than 16 MiB; pass a part of it');
      parts.push(part.subarray(0, read));
    }
    const content = Buffer.concat(parts);
    if (content.includes(0)) throw new RangeError('it is not text; pass another file');
    return content.toString('utf8');
  } finally {
    if (descriptor !== 0) closeSync(descriptor);
  }
}
