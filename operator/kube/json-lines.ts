/** Splits a byte stream into the JSON values on its lines, as watches send them. */

/**
 * Yields each line without its newline. A last line without a newline is truncated and not yielded. Decoding per line keeps
 * characters intact that span two chunks.
 */
export async function* textLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let pending: Uint8Array[] = [];
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      pending.push(chunk.subarray(start, end));
      const line = (
        pending.length === 1
          ? Buffer.from(chunk.buffer, chunk.byteOffset + start, end - start)
          : Buffer.concat(pending)
      ).toString('utf8');
      pending = [];
      start = end + 1;
      if (line !== '') {
        yield line;
      }
    }
    if (start < chunk.length) {
      pending.push(chunk.subarray(start));
    }
  }
}
