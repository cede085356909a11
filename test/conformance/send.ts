import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { ConformanceRequest } from './request.ts';

/** An answer as it came. */
export interface Answer {
  status: number;
  /** Names as sent, with their values, in their order. */
  headers: [name: string, value: string][];
  body: string;
}

/** Sends a request on a connection of its own. `folders` replaces `<name>` in the body by the value of `name`. */
export async function send(
  url: string,
  { method, path, body, headers }: ConformanceRequest,
  folders: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Answer> {
  let text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  for (const [name, folder] of Object.entries(folders)) text = text?.replaceAll(`<${name}>`, folder);
  const all = Object.entries({
    ...(text !== undefined && { 'content-type': 'application/json' }),
    ...headers,
  }).filter(([, value]) => value !== '');
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = httpRequest(url + path, {
      method: method ?? (text === undefined ? 'GET' : 'POST'),
      headers: { ...Object.fromEntries(all), connection: 'close' },
      agent: false,
      signal,
    });
    request.on('response', resolve).on('error', reject).end(text);
  });
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  const raw = response.rawHeaders;
  return {
    status: response.statusCode ?? 0,
    headers: Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i] ?? '', raw[2 * i + 1] ?? '']),
    body: Buffer.concat(parts).toString('utf8'),
  };
}
