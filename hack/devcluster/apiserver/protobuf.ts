/** Just enough protobuf for what Helm sends (Secrets, in which it keeps its releases) and what `kubectl create` and `auth can-i` do. */
import type { Json, JsonObject } from './json.ts';
import { badRequest, notImplemented } from './status-error.ts';

/** One field: `type` is a message of {@link MESSAGES}, or how the value is read. */
interface Field {
  name: string;
  type: string;
  many: string;
}

/** Fields by number, of k8s.io/api's generated.proto. Each is written as type, `[]` for a list or `{}` for a map, name, number. */
const MESSAGES = {
  TypeMeta: fields('string apiVersion=1, string kind=2'),
  ObjectMeta:
    fields(`string name=1, string namespace=3, string uid=5, string resourceVersion=6, string{} labels=11,
    string{} annotations=12, string[] finalizers=14`),
  Namespace: fields('ObjectMeta metadata=1'),
  RoleBinding: fields('ObjectMeta metadata=1, Subject[] subjects=2, RoleRef roleRef=3'),
  Subject: fields('string kind=1, string apiGroup=2, string name=3, string namespace=4'),
  RoleRef: fields('string apiGroup=1, string kind=2, string name=3'),
  SelfSubjectAccessReview: fields('ObjectMeta metadata=1, SelfSubjectAccessReviewSpec spec=2'),
  SelfSubjectAccessReviewSpec: fields(
    'ResourceAttributes resourceAttributes=1, NonResourceAttributes nonResourceAttributes=2',
  ),
  ResourceAttributes:
    fields(`string namespace=1, string verb=2, string group=3, string version=4, string resource=5,
    string subresource=6, string name=7`),
  NonResourceAttributes: fields('string path=1, string verb=2'),
  Secret: fields('ObjectMeta metadata=1, base64{} data=2, string type=3, bool immutable=5'),
  DeleteOptions: fields(`int gracePeriodSeconds=1, Preconditions preconditions=2, bool orphanDependents=3,
    string propagationPolicy=4, string[] dryRun=5`),
  Preconditions: fields('string uid=1, string resourceVersion=2'),
};

function fields(text: string): Map<number, Field> {
  const found = text.matchAll(/(\w+)(\[\]|\{\}|) (\w+)=(\d+)/g);
  return new Map(
    [...found].map(([, type = '', many = '', name = '', index]) => [Number(index), { name, type, many }]),
  );
}

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

function decodeMessage(message: keyof typeof MESSAGES, body: Buffer): JsonObject {
  const out: JsonObject = {};
  for (const [index, wire] of wireFields(body)) {
    const field = MESSAGES[message].get(index);
    if (!field) continue;
    if (field.many === '{}') {
      const entry = new Map(wireFields(wire as Buffer));
      const key = String(decodeValue('string', entry.get(1)));
      out[field.name] = { ...(out[field.name] as JsonObject), [key]: decodeValue(field.type, entry.get(2)) };
    } else if (field.many === '[]') {
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
  if (type in MESSAGES) return decodeMessage(type as keyof typeof MESSAGES, wire);
  return wire.toString(type === 'base64' ? 'base64' : 'utf8');
}
