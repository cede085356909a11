import { type Router, startRouter } from '../integration/router/support/router.ts';
import { model, table } from '../support/route-table.ts';
import { ENGINES, type EngineName, type EngineSuite } from './engines.ts';
import type { Engine } from './real-engine.ts';
import { Laboratory } from './record.ts';
import { ADAPTER, CHAT_MODEL, type ConformanceRequest, EMBED_MODEL, RERANK_MODEL } from './request.ts';
import { routerException } from './router-exceptions.ts';
import { type Answer, send } from './send.ts';
import { timeless } from './timeless.ts';

const NAMES: Record<EngineName, string> = { chat: CHAT_MODEL, embed: EMBED_MODEL, rerank: RERANK_MODEL };

/**
 * Headers of a connection or of a moment, and what the router adds: its name for the request, that no proxy before it
 * may hold a stream back, and that no browser may guess the type of the body. The length is compared with the body instead: the engine names its answer after the request,
 * and the router's names are longer.
 */
const OWN_HEADERS = new Set([
  'date',
  'connection',
  'keep-alive',
  'server',
  'x-request-id',
  'x-accel-buffering',
  'x-content-type-options',
  'content-length',
]);

/** Paths of an engine that the router does not offer, or answers itself. */
const NOT_ROUTED =
  /^\/(?:health|ping|version|load|metrics|openapi\.json|sleep|is_sleeping|invocations|pooling|detokenize|v1\/models.*|v1\/(?:un)?load_lora_adapter|v1\/none|)$/;

interface Comparison {
  name: string;
  differences: string[];
}

/**
 * Sends the requests of each engine to the engine and through the router, and prints what differs. Returns how many
 * answers differ that are not among the named exceptions.
 */
export async function compareThroughRouter(
  version: string,
  names: readonly EngineName[],
  signal: AbortSignal,
): Promise<number> {
  const laboratory = await Laboratory.open(version, signal);
  let router: Router | undefined;
  let unexpected = 0;
  try {
    for (const name of names) {
      const engine = await laboratory.start(name, [], signal);
      router ??= await startRouter();
      await router.put(tableOf(name, engine));
      const suite: EngineSuite = ENGINES[name];
      const requests = suite.requests.filter(({ path }) => !NOT_ROUTED.test(path));
      let equal = 0;
      for (const request of requests) {
        const { differences } = await compare(request, engine, router, laboratory.folders, signal);
        const reason = routerException(request.name);
        if (differences.length === 0) equal += 1;
        else if (reason === undefined) unexpected += 1;
        for (const line of differences)
          console.log(`${name}: ${request.name}: ${line}${reason ? ` (${reason})` : ''}`);
      }
      console.log(`${name}: ${equal} of ${requests.length} answers are the same through the router`);
      engine.terminate();
      await engine.exited;
    }
  } finally {
    await router?.close();
    laboratory.close();
  }
  return unexpected;
}

function tableOf(name: EngineName, engine: Engine) {
  const adapters = name === 'chat' ? [ADAPTER] : [];
  return table([model(NAMES[name], [new URL(engine.url).host], { servedNames: [NAMES[name]], adapters })]);
}

async function compare(
  request: ConformanceRequest,
  engine: Engine,
  router: Router,
  folders: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Comparison> {
  const direct = await send(engine.url, request, folders, signal);
  const routed = await send(router.url, request, folders, signal);
  const differences: string[] = [];
  if (direct.status !== routed.status)
    differences.push(`status ${direct.status}, through the router ${routed.status}`);
  const [own, theirs] = [headersOf(routed), headersOf(direct)];
  for (const header of new Set([...Object.keys(own), ...Object.keys(theirs)])) {
    if (own[header] !== theirs[header])
      differences.push(`header ${header} "${theirs[header]}", through the router "${own[header]}"`);
  }
  const length = routed.headers.find(([name]) => name.toLowerCase() === 'content-length')?.[1];
  if (
    length !== undefined &&
    Number(length) !== Buffer.byteLength(routed.body) &&
    request.method !== 'HEAD'
  ) {
    differences.push(`content-length ${length} of a body of ${Buffer.byteLength(routed.body)} bytes`);
  }
  const [engineBody, routerBody] = [timeless(direct.body), timeless(routed.body)];
  if (engineBody !== routerBody) {
    const from = Math.max(0, firstDifference(engineBody, routerBody) - 200);
    const part = (body: string): string => body.slice(from, from + 600);
    differences.push(`body from ${from} ${part(engineBody)}\n  through the router ${part(routerBody)}`);
  }
  return { name: request.name, differences };
}

function firstDifference(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  return at;
}

function headersOf({ headers }: Answer): Record<string, string> {
  return Object.fromEntries(
    headers
      .map(([name, value]) => [name.toLowerCase(), value] as const)
      .filter(([name]) => !OWN_HEADERS.has(name)),
  );
}
