import type { Json, JsonObject } from '../json.ts';
import { badRequest, notImplemented } from '../status-error.ts';
import { MESSAGES } from './messages.ts';

interface Field {
  name: string;
  type: string;
  repeated: boolean;
  map: boolean;
}

const MAGIC = Buffer.from('k8s\0', 'latin1');

/** Reads a body of type application/vnd.kubernetes.protobuf. Throws 501 for kinds that are not in the table. */
export function decodeProtobuf(body: Buffer): JsonObject {
  if (!body.subarray(0, 4).equals(MAGIC))
    throw badRequest('provided data does not appear to be a protobuf message');
  const envelope = new Map(wireFields(body.subarray(4)));
  const meta = decodeMessage('TypeMeta', asBytes(envelope.get(1)));
  const kind = typeof meta.kind === 'string' ? meta.kind : '';
  if (!(kind in MESSAGES))
    throw notImplemented(`${kind} is not read as protobuf here: apply it as YAML or JSON`);
  return { ...meta, ...decodeMessage(kind, asBytes(envelope.get(2))) };
}

type Wire = bigint | Buffer;

function asBytes(value: Wire | undefined): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.alloc(0);
}

function readVarint(body: Buffer, start: number): { value: bigint; next: number } {
  let value = 0n;
  let next = start;
  for (let shift = 0n; ; shift += 7n) {
    const byte = body[next++];
    if (byte === undefined) throw badRequest('unexpected EOF in protobuf message');
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return { value, next };
  }
}

function* wireFields(body: Buffer): Generator<[number, Wire]> {
  let at = 0;
  while (at < body.length) {
    const tag = readVarint(body, at);
    const field = Number(tag.value >> 3n);
    const wire = Number(tag.value & 7n);
    at = tag.next;
    if (wire === 0) {
      const { value, next } = readVarint(body, at);
      at = next;
      yield [field, value];
    } else if (wire === 2) {
      const { value, next } = readVarint(body, at);
      const end = next + Number(value);
      if (end > body.length) throw badRequest('unexpected EOF in protobuf message');
      yield [field, body.subarray(next, end)];
      at = end;
    } else at += wire === 1 ? 8 : 4;
  }
}

function fieldsOf(message: string): Map<number, Field> {
  const out = new Map<number, Field>();
  for (const part of (MESSAGES[message] ?? '').split(', ')) {
    const [number = '', name = '', type = ''] = part.split(' ');
    const repeated = type.startsWith('[]');
    const map = type.startsWith('{}');
    out.set(Number(number), { name, type: repeated || map ? type.slice(2) : type, repeated, map });
  }
  return out;
}

function decodeMessage(message: string, body: Buffer): JsonObject {
  const fields = fieldsOf(message);
  const out: JsonObject = {};
  for (const [number, wire] of wireFields(body)) {
    const field = fields.get(number);
    if (!field) continue;
    if (field.map) putEntry(out, field, asBytes(wire));
    else if (field.repeated) {
      const list = out[field.name];
      const value = decodeValue(field.type, wire);
      if (Array.isArray(list)) list.push(value);
      else out[field.name] = [value];
    } else {
      const value = decodeValue(field.type, wire);
      // Go writes empty strings of fields that are no pointers; JSON leaves them out.
      if (value !== '' && value !== null) out[field.name] = value;
    }
  }
  return out;
}

function putEntry(out: JsonObject, field: Field, body: Buffer): void {
  const entry = new Map(wireFields(body));
  const key = asBytes(entry.get(1)).toString('utf8');
  const value = decodeValue(field.type, entry.get(2) ?? Buffer.alloc(0));
  const known = out[field.name];
  if (typeof known === 'object' && known !== null && !Array.isArray(known)) known[key] = value;
  else out[field.name] = { [key]: value };
}

function decodeValue(type: string, wire: Wire): Json {
  switch (type) {
    case 'string':
      return asBytes(wire).toString('utf8');
    case 'bytes':
      return asBytes(wire).toString('base64');
    case 'bool':
      return wire === 1n;
    case 'nonzero':
      return typeof wire === 'bigint' && wire !== 0n ? Number(wire) : null;
    case 'int':
      return typeof wire === 'bigint' ? Number(BigInt.asIntN(64, wire)) : 0;
    case 'time':
      return decodeTime(asBytes(wire));
    default:
      return decodeMessage(type, asBytes(wire));
  }
}

function decodeTime(body: Buffer): Json {
  const seconds = new Map(wireFields(body)).get(1);
  if (typeof seconds !== 'bigint') return null;
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}Z`;
}
