import type { IncomingMessage, ServerResponse } from 'node:http';
import { type DocumentOptions, type ParseOptions, parseDocument, type SchemaOptions } from 'yaml';
import { isObject, type Json, type JsonObject } from './json.ts';
import { duplicateKeys } from './schema/duplicate-keys.ts';
import { badRequest, StatusError } from './status-error.ts';

/** YAML as sigs.k8s.io/yaml reads it: `y` and `yes` are true, but `1:30` and dates stay text. */
const YAML_1_1: ParseOptions & DocumentOptions & SchemaOptions = {
  version: '1.1',
  customTags: (tags) =>
    tags.filter(
      (tag) =>
        typeof tag === 'string' ||
        (tag.format !== 'TIME' && !/timestamp|binary|omap|pairs|set$/.test(tag.tag)),
    ),
};

const MAX_BODY_BYTES = 3 * 1024 * 1024;

/** Reads a request's body as text. Throws 413 when it is above kube-apiserver's limit of 3 MiB. */
export async function readBody(request: IncomingMessage, encoding: BufferEncoding = 'utf8'): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const part = chunk as Buffer;
    size += part.length;
    if (size > MAX_BODY_BYTES) {
      throw new StatusError(413, 'RequestEntityTooLarge', `limit is ${MAX_BODY_BYTES}`);
    }
    chunks.push(part);
  }
  return Buffer.concat(chunks).toString(encoding);
}

/** The media type of a request's body without parameters. */
export function mediaType(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

/** A parsed body. */
export interface ParsedBody<T extends Json = Json> {
  value: T;
  /** What strict field validation reports of the text: duplicate keys. */
  faults: string[];
}

/** Parses a body that must be an object. Throws BadRequest; `kind` is named in the message. */
export function parseObject(text: string, type: string, kind: string): ParsedBody<JsonObject> {
  const { value, faults } = parseText(text, type, kind);
  if (!isObject(value)) throw badRequest(`the object provided is unrecognized (must be of type ${kind})`);
  return { value, faults };
}

/** Parses a JSON or YAML body; of a key that comes twice, the last value counts. */
export function parseText(text: string, type: string, kind: string): ParsedBody {
  try {
    if (type.includes('yaml')) return parseYamlText(text);
    const value = JSON.parse(text) as Json;
    return { value, faults: duplicateKeys(text).map((path) => `duplicate field ${JSON.stringify(path)}`) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw badRequest(
      `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: ${why}`,
    );
  }
}

function parseYamlText(text: string): ParsedBody {
  const document = parseDocument(text, YAML_1_1);
  const twice = document.errors.filter(({ code }) => code === 'DUPLICATE_KEY');
  const [broken] = document.errors.filter(({ code }) => code !== 'DUPLICATE_KEY');
  if (broken) throw broken;
  const faults = twice.map(({ pos: [at], linePos }) => {
    const key = /^[^\s:]+/.exec(text.slice(at))?.[0] ?? '';
    return `line ${linePos?.[0].line ?? 0}: key ${JSON.stringify(key)} already set in map`;
  });
  return { value: document.toJS() as Json, faults };
}

/** The value of a Warning header. */
export function warningHeader(warnings: readonly string[]): string {
  return [...new Set(warnings)].map((warning) => `299 - ${JSON.stringify(warning)}`).join(', ');
}

/** Answers with JSON and a Warning header. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: Json | string,
  warnings: readonly string[] = [],
  type = 'application/json',
): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  response.statusCode = status;
  response.setHeader('Content-Type', type);
  if (warnings.length > 0) response.setHeader('Warning', warningHeader(warnings));
  response.end(text);
}

/** Answers with plain text. */
export function sendText(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end(text);
}

/** Answers with an error: StatusErrors as they are, everything else as 500. */
export function sendError(response: ServerResponse, error: unknown): void {
  const known =
    error instanceof StatusError
      ? error
      : new StatusError(
          500,
          'InternalError',
          error instanceof Error ? (error.stack ?? error.message) : String(error),
        );
  if (response.headersSent) {
    response.destroy();
    return;
  }
  for (const [name, value] of Object.entries(known.headers)) response.setHeader(name, value);
  sendJson(response, known.status, known.body);
}
