/** A collector of traces: takes what OTLP/HTTP allows in JSON and nothing else, or answers as a test says. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { z } from 'zod';
import { loopbackAddress } from './router.ts';

// https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto, with the rules of
// https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: IDs in hexadecimal, 64-bit numbers as strings, enums as numbers.
const nanoseconds = z.string().regex(/^[1-9][0-9]{18}$/);
const value = z.union([
  z.strictObject({ stringValue: z.string() }),
  z.strictObject({ intValue: z.string().regex(/^-?[0-9]+$/) }),
  z.strictObject({ doubleValue: z.number() }),
  z.strictObject({ boolValue: z.boolean() }),
]);
const attributes = z
  .array(z.strictObject({ key: z.string().min(1), value }))
  .refine((list) => new Set(list.map(({ key }) => key)).size === list.length, 'keys are unique')
  .transform((list) =>
    Object.fromEntries(
      list.map(({ key, value: one }) => [
        key,
        'intValue' in one ? Number(one.intValue) : Object.values(one)[0],
      ]),
    ),
  );
const span = z.strictObject({
  traceId: z.string().regex(/^[0-9a-f]{32}$/),
  spanId: z.string().regex(/^[0-9a-f]{16}$/),
  parentSpanId: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .optional(),
  flags: z.int().min(0).max(0xffffffff),
  name: z.string().min(1),
  kind: z.int().min(1).max(5),
  startTimeUnixNano: nanoseconds,
  endTimeUnixNano: nanoseconds,
  attributes,
  status: z.strictObject({ code: z.int().min(0).max(2) }).optional(),
});
const exportRequest = z.strictObject({
  resourceSpans: z.array(
    z.strictObject({
      resource: z.strictObject({ attributes }),
      scopeSpans: z.array(
        z.strictObject({ scope: z.strictObject({ name: z.string() }), spans: z.array(span) }),
      ),
    }),
  ),
});

export type Span = z.infer<typeof span>;

export interface Collector {
  host: string;
  port: number;
  /** Heads of the requests that came. */
  heads: string[];
  /** All spans that came so far. */
  spans: Span[];
  /** Attributes of the resource that sent last. */
  resource: Record<string, unknown>;
  /** What is wrong with what came. */
  faults: string[];
  /** Answers a request; default: 200. */
  answer: (socket: Socket) => void;
  close(): Promise<void>;
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}';

/** Starts a collector. */
export async function startCollector(): Promise<Collector> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let text = '';
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (data) => {
      text += data.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
      if (end < 0 || text.length < end + 4 + length) return;
      collector.heads.push(text.slice(0, end));
      take(collector, text.slice(end + 4, end + 4 + length));
      collector.answer(socket);
    });
  });
  const collector: Collector = {
    host: loopbackAddress(),
    port: 0,
    heads: [],
    spans: [],
    resource: {},
    faults: [],
    answer: (socket) => socket.end(OK),
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  server.listen(0, collector.host);
  await once(server, 'listening');
  const address = server.address();
  if (address !== null && typeof address === 'object') collector.port = address.port;
  return collector;
}

function take(collector: Collector, body: string): void {
  try {
    const { resourceSpans } = exportRequest.parse(JSON.parse(body));
    for (const { resource, scopeSpans } of resourceSpans) {
      collector.resource = resource.attributes;
      collector.spans.push(...scopeSpans.flatMap(({ spans }) => spans));
    }
  } catch (error) {
    collector.faults.push(String(error));
  }
}
