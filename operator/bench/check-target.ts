/** Asks a server for its models before a load, so that a wrong URL, key or name is one clear message and not a failed run. */
import { request } from 'undici';
import { z } from 'zod';
import { printable } from '../values/printable.ts';
import { baseUrl } from './http-target.ts';
import type { LoadPlan } from './load-plan.ts';

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 4 * 2 ** 20;
/** Most names in a message. */
const MAX_NAMES = 10;

export interface TargetProblem {
  about: 'url' | 'apiKey' | 'model';
  reason: string;
  remedy: string;
}

const modelList = z.object({ data: z.array(z.object({ id: z.string() })) });

/** What would make the whole load fail; undefined if nothing is wrong. A server without a list of models is accepted. */
export async function checkTarget(
  { url, model, apiKey }: Pick<LoadPlan, 'url' | 'model' | 'apiKey'>,
  signal: AbortSignal,
): Promise<TargetProblem | undefined> {
  try {
    const answer = await request(new URL('v1/models', baseUrl(url)), {
      headers: apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` },
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    const text = await textOf(answer.body);
    if (answer.statusCode === 401 || answer.statusCode === 403) return keyProblem(answer.statusCode, apiKey);
    const served = answer.statusCode === 200 ? namesIn(text) : undefined;
    if (served === undefined || served.includes(model)) return undefined;
    const names = served.slice(0, MAX_NAMES).map(printable).join(', ');
    const more = served.length > MAX_NAMES ? ` and ${served.length - MAX_NAMES} more` : '';
    return {
      about: 'model',
      reason: 'the server does not serve it',
      remedy: served.length === 0 ? 'it serves no model: deploy one' : `it serves ${names}${more}`,
    };
  } catch (error) {
    signal.throwIfAborted();
    return { about: 'url', reason: reasonOf(error), remedy: 'check host and port, and that the server runs' };
  }
}

function keyProblem(status: number, apiKey: string | undefined): TargetProblem {
  return apiKey === undefined
    ? { about: 'apiKey', reason: `the server answers ${status} without a key`, remedy: 'pass one' }
    : {
        about: 'apiKey',
        reason: `the server answers ${status} to this key`,
        remedy: 'pass one that it takes',
      };
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.length;
    if (size > MAX_BYTES) throw new RangeError('the list of models is larger than 4 MiB');
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

function namesIn(text: string): string[] | undefined {
  try {
    return modelList.safeParse(JSON.parse(text)).data?.data.map(({ id }) => id);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1000} s`;
  // Several addresses may have been tried; each has its own error then.
  const [first] = error instanceof AggregateError ? error.errors : [];
  return printable(error.message || String(first instanceof Error ? first.message : error.name));
}
