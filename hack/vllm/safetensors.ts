/** The safetensors file format: an 8-byte length, a JSON header of that length, then the numbers of all tensors. */

export interface Tensor {
  shape: readonly number[];
  /** Row by row. */
  values: Float32Array;
}

/** A file with 32-bit floats, tensors in the order of their names. Equal tensors give equal bytes. */
export function safetensors(tensors: Readonly<Record<string, Tensor>>): Buffer {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  const parts: Buffer[] = [];
  let at = 0;
  for (const name of Object.keys(tensors).sort()) {
    const { shape, values } = tensors[name] as Tensor;
    if (shape.reduce((product, size) => product * size, 1) !== values.length) {
      throw new RangeError(
        `tensor ${name}: ${values.length} values do not fill the shape ${shape.join(' x ')}`,
      );
    }
    const bytes = Buffer.alloc(values.length * 4);
    for (const [i, value] of values.entries()) bytes.writeFloatLE(value, i * 4);
    header[name] = { dtype: 'F32', shape, data_offsets: [at, at + bytes.length] };
    parts.push(bytes);
    at += bytes.length;
  }
  // The numbers begin at a multiple of 8 bytes; spaces fill the gap.
  const json = JSON.stringify(header);
  const text = Buffer.from(json.padEnd(Math.ceil(Buffer.byteLength(json) / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...parts]);
}
