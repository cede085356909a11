/** One HTTP request and its answer. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Sim } from '../sim.ts';
import { ApiError, badSchema } from './api-error.ts';
import { type Body, isRecord } from './fields.ts';
import { SseStream } from './sse-stream.ts';

export type Handler = (exchange: Exchange) => Promise<void> | void;

export class Exchange {
  readonly sim: Sim;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Identity of the request: the client's X-Request-Id or a random one. */
  readonly id: string;
  readonly #disconnects: (() => void)[] = [];
  #json: Promise<Body> | undefined;

  constructor(sim: Sim, request: IncomingMessage, response: ServerResponse) {
    this.sim = sim;
    this.request = request;
    this.response = response;
    const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
    this.path = path;
    this.query = new URLSearchParams(query);
    const header = request.headers['x-request-id'];
    this.id = typeof header === 'string' && header !== '' ? header : sim.requestId();
  }

  /** Calls when the client goes away before the answer is complete. */
  onDisconnect(run: () => void): void {
    this.#disconnects.push(run);
    if (this.#disconnects.length === 1) {
      this.response.once('close', () => {
        if (!this.response.writableFinished) {
          for (const each of this.#disconnects) {
            each();
          }
        }
      });
    }
  }

  async readBytes(): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.request) {
      parts.push(part as Buffer);
    }
    return Buffer.concat(parts);
  }

  /** The JSON object of the body. Throws ApiError 400 as FastAPI would. */
  readJson(): Promise<Body> {
    this.#json ??= this.#readJson();
    return this.#json;
  }

  async #readJson(): Promise<Body> {
    const type = this.request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
    const bytes = await this.readBytes();
    if (type !== 'application/json') {
      throw new ApiError(
        400,
        'Bad Request',
        "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed",
      );
    }
    if (bytes.length === 0) {
      throw badSchema('missing', [], 'Field required', null);
    }
    let value: unknown;
    try {
      value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    } catch (cause) {
      if (cause instanceof SyntaxError) {
        throw badSchema(
          'json_invalid',
          [jsonErrorAt(cause, bytes.toString('utf8'))],
          'JSON decode error',
          {},
        );
      }
      throw new ApiError(400, 'Bad Request', 'There was an error parsing the body');
    }
    if (!isRecord(value)) {
      if (value === null) {
        throw badSchema('missing', [], 'Field required', value);
      }
      throw badSchema(
        'model_attributes_type',
        [],
        'Input should be a valid dictionary or object to extract fields from',
        value,
      );
    }
    return value;
  }

  json(status: number, body: unknown): void {
    this.send(status, 'application/json', JSON.stringify(body));
  }

  send(status: number, type: string | undefined, body: string): void {
    const bytes = Buffer.from(body);
    this.response.writeHead(status, {
      'content-length': bytes.length,
      ...(type === undefined ? {} : { 'content-type': type }),
    });
    this.response.end(bytes);
  }

  /** Starts a stream: status 200 is sent at once, before the first token, as vLLM does. */
  stream(): SseStream {
    return new SseStream(this.response, () => this.sim.failures);
  }
}

/** The position at which Python's parser fails. V8 reports none when the text ends too early. */
function jsonErrorAt(cause: SyntaxError, text: string): number {
  return Number(/position (\d+)/.exec(cause.message)?.[1] ?? text.length);
}
