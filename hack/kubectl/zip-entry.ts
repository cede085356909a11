import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const STORED = 0;
const DEFLATED = 8;

/**
 * Reads one file out of a zip archive (stored or deflated, without zip64), as PKWARE's APPNOTE 4.3 lays it out.
 * Throws an Error when the archive is damaged or has no such file.
 */
export function readZipEntry(archive: string, name: string): Buffer {
  const file = openSync(archive, 'r');
  const read = (offset: number, length: number): Buffer => {
    const buffer = Buffer.alloc(length);
    if (readSync(file, buffer, 0, length, offset) !== length) throw new Error(`${archive} ends early`);
    return buffer;
  };
  try {
    const size = statSync(archive).size;
    // The end record is 22 bytes, followed by a comment of at most 65535.
    const tailStart = Math.max(0, size - 22 - 0xffff);
    const tail = read(tailStart, size - tailStart);
    const end = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
    if (end < 0 || tail.readUInt32LE(end) !== END_OF_DIRECTORY)
      throw new Error(`${archive} is not a zip archive`);
    const directory = read(tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12));
    for (let at = 0; at < directory.length && directory.readUInt32LE(at) === DIRECTORY_ENTRY; ) {
      const [nameLength, extraLength, commentLength] = [28, 30, 32].map((o) =>
        directory.readUInt16LE(at + o),
      ) as [number, number, number];
      if (directory.toString('utf8', at + 46, at + 46 + nameLength) === name) {
        const method = directory.readUInt16LE(at + 10);
        const header = directory.readUInt32LE(at + 42);
        const local = read(header, 30);
        const start = header + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
        const content = read(start, directory.readUInt32LE(at + 20));
        if (method === STORED) return content;
        if (method === DEFLATED) return inflateRawSync(content);
        throw new Error(
          `${name} in ${archive} is packed with method ${method}; only stored and deflated are read`,
        );
      }
      at += 46 + nameLength + extraLength + commentLength;
    }
    throw new Error(`${archive} has no file ${name}`);
  } finally {
    closeSync(file);
  }
}
