/** Just enough protobuf for what Helm sends (Secrets, in which it keeps its releases) and what `kubectl create` and `auth can-i` do. */
import type { Json, JsonObject } from './json.ts';
import { badRequest, notImplemented } from './status-error.ts';

interface Field {
  name: string;
  /** A message of {@link MESSAGES}, or how the value is read. */
  type: string;
  many?: 'list' | 'map';
}

const text = (name: string): Field => ({ name, type: 'string' });
const number = (name: string): Field => ({ name, type: 'int' });
const flag = (name: string): Field => ({ name, type: 'bool' });

/** Fields by number, of k8s.io/api's generated.proto. */
const MESSAGES: Readonly<Record<string, Readonly<Record<number, Field>>>> = {
  TypeMeta: { 1: text('apiVersion'), 2: text('kind') },
  ObjectMeta: {
    1: text('name'),
    3: text('namespace'),
    5: text('uid'),
    6: text('resourceVersion'),
    11: { name: 'labels', type: 'string', many: 'map' },
    12: { name: 'annotations', type: 'string', many: 'map' },
    14: { name: 'finalizers', type: 'string', many: 'list' },
  },
  Namespace: { 1: { name: 'metadata', type: 'ObjectMeta' } },
  RoleBinding: {
    1: { name: 'metadata', type: 'ObjectMeta' },
    2: { name: 'subjects', type: 'Subject', many: 'list' },
    3: { name: 'roleRef', type: 'RoleRef' },
  },
  Subject: { 1: text('kind'), 2: text('apiGroup'), 3: text('name'), 4: text('namespace') },
  RoleRef: { 1: text('apiGroup'), 2: text('kind'), 3: text('name') },
  SelfSubjectAccessReview: {
    1: { name: 'metadata', type: 'ObjectMeta' },
    2: { name: 'spec', type: 'SelfSubjectAccessReviewSpec' },
  },
  SelfSubjectAccessReviewSpec: {
    1: { name: 'resourceAttributes', type: 'ResourceAttributes' },
    2: { name: 'nonResourceAttributes', type: 'NonResourceAttributes' },
  },
  ResourceAttributes: {
    1: text('namespace'),
    2: text('verb'),
    3: text('group'),
    4: text('version'),
    5: text('resource'),
    6: text('subresource'),
    7: text('name'),
  },
  NonResourceAttributes: { 1: text('path'), 2: text('verb') },
  Secret: {
    1: { name: 'metadata', type: 'ObjectMeta' },
    2: { name: 'data', type: 'base64', many: 'map' },
    3: text('type'),
    5: flag('immutable'),
  },
  DeleteOptions: {
    1: number('gracePeriodSeconds'),
    2: { name: 'preconditions', type: 'Preconditions' },
    3: flag('orphanDependents'),
    4: text('propagationPolicy'),
    5: { name: 'dryRun', type: 'string', many: 'list' },
  },
  Preconditions: { 1: text('uid'), 2: text('resourceVersion') },
};

const KINDS = ['DeleteOptions', 'Namespace', 'RoleBinding', 'Secret', 'SelfSubjectAccessReview'];

const MAGIC = 'k8s\0';

/** Reads a body of type application/vnd.kubernetes.protobuf, one character a byte. Throws 501 for other kinds. */
export function decodeProtobuf(body: string): JsonObject {
  if (!body.startsWith(MAGIC)) throw badRequest('provided data does not appear to be a protobuf message');
  const envelope = new Map(wireFields(Buffer.from(body.slice(MAGIC.length), 'latin1')));
  const meta = decodeValue('TypeMeta', envelope.get(1)) as JsonObject;
  const kind = String(meta.kind);
  if (!KINDS.includes(kind))
    throw notImplemented(
      `protobuf of a ${kind} is not read here: with kubectl use \`create … --dry-run=client -o yaml | kubectl apply -f -\`, else send JSON`,
    );
  return { ...meta, ...(decodeValue(kind, envelope.get(2)) as JsonObject) };
}

function readVarint(body: Buffer, start: number): [value: bigint, next: number] {
  let value = 0n;
  for (let at = start, shift = 0n; at < body.length && shift < 64n; at++, shift += 7n) {
    const byte = body[at] ?? 0;
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return [value, at + 1];
  }
  throw badRequest('unexpected EOF in protobuf message');
}

/** Numbers and bytes by field; those messages have no other wire types. */
function* wireFields(body: Buffer): Generator<[field: number, value: bigint | Buffer]> {
  for (let at = 0; at < body.length; ) {
    const [tag, next] = readVarint(body, at);
    const [value, end] = readVarint(body, next);
    const field = Number(tag >> 3n);
    if ((tag & 7n) === 0n) {
      yield [field, value];
      at = end;
    } else if ((tag & 7n) === 2n && end + Number(value) <= body.length) {
      at = end + Number(value);
      yield [field, body.subarray(end, at)];
    } else throw badRequest('unexpected wire type or EOF in protobuf message');
  }
}

function decodeMessage(message: string, body: Buffer): JsonObject {
  const out: JsonObject = {};
  for (const [index, wire] of wireFields(body)) {
    const field = MESSAGES[message]?.[index];
    if (!field) continue;
    if (field.many === 'map') {
      const entry = new Map(wireFields(wire as Buffer));
      const key = String(decodeValue('string', entry.get(1)));
      out[field.name] = { ...(out[field.name] as JsonObject), [key]: decodeValue(field.type, entry.get(2)) };
    } else if (field.many === 'list') {
      out[field.name] = [...((out[field.name] ?? []) as Json[]), decodeValue(field.type, wire)];
    } else {
      const value = decodeValue(field.type, wire);
      // Go writes empty strings of fields that are no pointers; JSON leaves them out.
      if (value !== '') out[field.name] = value;
    }
  }
  return out;
}

function decodeValue(type: string, wire: bigint | Buffer = Buffer.alloc(0)): Json {
  if (typeof wire === 'bigint') return type === 'bool' ? wire === 1n : Number(BigInt.asIntN(64, wire));
  if (type in MESSAGES) return decodeMessage(type, wire);
  return wire.toString(type === 'base64' ? 'base64' : 'utf8');
}
