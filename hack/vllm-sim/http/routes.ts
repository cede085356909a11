/** Which paths an engine serves. It depends on the model's task and on settings, as in vLLM. */
import type { SimSettings } from '../settings.ts';
import { badValue } from './api-error.ts';
import { transcribe } from './audio.ts';
import { chatCompletions } from './chat.ts';
import { completions } from './completions.ts';
import { readControl, recentRequests, writeControl } from './control.ts';
import {
  isPaused,
  isSleeping,
  pauseEngine,
  resetPrefixCache,
  resumeEngine,
  serverInfo,
  sleep,
  wakeUp,
} from './dev.ts';
import type { Exchange, Handler } from './exchange.ts';
import { countTokens, messages } from './messages.ts';
import { listModels, loadAdapter, unloadAdapter } from './models.ts';
import { classify, embeddings, pooling, rerank, score } from './pooling.ts';
import { responseNotFound, responses } from './responses.ts';
import { health, metrics, serverLoad, version } from './status.ts';
import { detokenizeIds, tokenizeText } from './tokenization.ts';

/** Handlers by path and method. */
export type Routes = ReadonlyMap<string, ReadonlyMap<string, Handler>>;

/** Prefixes that an API key guards; everything else is open, also with --api-key. */
const GUARDED = ['/v1', '/v2', '/inference', '/cohere'];

export function isGuarded(path: string): boolean {
  return GUARDED.some((prefix) => path.startsWith(prefix));
}

export function buildRoutes(settings: SimSettings): Routes {
  const routes = new Map<string, Map<string, Handler>>();
  const add = (method: string, handler: Handler, ...paths: string[]): void => {
    for (const path of paths) {
      const methods = routes.get(path) ?? new Map<string, Handler>();
      methods.set(method, handler);
      routes.set(path, methods);
    }
  };
  add('GET', health, '/health', '/ping');
  add('POST', health, '/ping');
  add('GET', version, '/version');
  add('GET', serverLoad, '/load');
  add('GET', metrics, '/metrics');
  add('GET', listModels, '/v1/models');
  add('POST', tokenizeText, '/tokenize');
  add('POST', detokenizeIds, '/detokenize');
  add('POST', invocations, '/invocations');
  add('GET', readControl, '/sim/control');
  add('POST', writeControl, '/sim/control');
  add('GET', recentRequests, '/sim/requests');
  if (settings.task === 'generate') {
    add('POST', chatCompletions, '/v1/chat/completions');
    add('POST', completions, '/v1/completions');
    add('POST', responses, '/v1/responses');
    add('POST', messages, '/v1/messages');
    add('POST', countTokens, '/v1/messages/count_tokens');
  } else if (settings.task === 'transcribe') {
    add('POST', transcribe, '/v1/audio/transcriptions', '/v1/audio/translations');
  } else {
    add('POST', pooling, '/pooling');
    add('POST', score, '/score', '/v1/score');
    add('POST', rerank, '/rerank', '/v1/rerank', '/v2/rerank');
    if (settings.task === 'embed') {
      add('POST', embeddings, '/v1/embeddings');
    } else {
      add('POST', classify, '/classify');
    }
  }
  if (settings.lora.runtimeUpdates) {
    add('POST', loadAdapter, '/v1/load_lora_adapter');
    add('POST', unloadAdapter, '/v1/unload_lora_adapter');
  }
  add('GET', (exchange) => exchange.json(200, document(routes)), '/openapi.json');
  if (settings.devMode) {
    add('POST', sleep, '/sleep');
    add('POST', wakeUp, '/wake_up');
    add('GET', isSleeping, '/is_sleeping');
    add('POST', pauseEngine, '/pause');
    add('POST', resumeEngine, '/resume');
    add('GET', isPaused, '/is_paused');
    add('POST', resetPrefixCache, '/reset_prefix_cache');
    add('GET', serverInfo, '/server_info');
  }
  return routes;
}

/** The OpenAPI document: paths and methods, without schemas. */
function document(routes: Routes): object {
  const paths = [...routes].filter(([path]) => !path.startsWith('/sim/') && path !== '/openapi.json');
  return {
    openapi: '3.1.0',
    info: { title: 'FastAPI', version: '0.1.0' },
    paths: Object.fromEntries(
      paths.map(([path, methods]) => [
        path,
        Object.fromEntries([...methods.keys()].map((method) => [method.toLowerCase(), {}])),
      ]),
    ),
  };
}

/** The methods of a path, those with an id in them included. */
export function findRoute(routes: Routes, path: string): ReadonlyMap<string, Handler> | undefined {
  const exact = routes.get(path);
  if (exact !== undefined || !routes.has('/v1/responses')) {
    return exact;
  }
  if (/^\/v1\/responses\/[^/]+$/.test(path)) {
    return new Map([['GET', responseNotFound]]);
  }
  return /^\/v1\/responses\/[^/]+\/cancel$/.test(path) ? new Map([['POST', responseNotFound]]) : undefined;
}

/** SageMaker's single path for all APIs. The body decides which one is meant. */
async function invocations(exchange: Exchange): Promise<void> {
  const body = await exchange.readJson();
  const { task } = exchange.sim.settings;
  if (task === 'generate' && body.messages !== undefined) {
    await chatCompletions(exchange);
  } else if (task === 'generate' && body.prompt !== undefined) {
    await completions(exchange);
  } else if (task === 'embed' && body.input !== undefined) {
    await embeddings(exchange);
  } else {
    // The last form that is tried is a completion's, and its prompt is missing.
    throw badValue('Either prompt or prompt_embeds must be provided and non-empty.', 'prompt');
  }
}
