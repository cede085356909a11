import { ADAPTER, CHAT_MODEL, type ConformanceRequest, requestsTo } from '../request.ts';

const MODEL = { model: CHAT_MODEL };

export const tokens: ConformanceRequest[] = [
  ...requestsTo('/tokenize', MODEL, [
    ['a text', { prompt: 'Once upon a time' }],
    ['a chat', { messages: [{ role: 'user', content: 'Hello' }] }],
    ['with the texts of tokens', { prompt: 'Once', return_token_strs: true }],
    ['an empty text', { prompt: '' }],
    ['without special tokens', { prompt: 'Once', add_special_tokens: false }],
    ['the model left out', { model: undefined, prompt: 'Once' }],
    ['error: neither text nor chat', {}],
    ['error: unknown model', { model: 'none', prompt: 'x' }],
    ['error: a number', { prompt: 5 }],
  ]),
  ...requestsTo('/detokenize', MODEL, [
    ['ids', { tokens: [65, 66, 67] }],
    ['no ids', { tokens: [] }],
    ['error: left out', {}],
    ['error: a text', { tokens: 'abc' }],
    ['error: below 0', { tokens: [-1] }],
    ['error: unknown model', { model: 'none', tokens: [1] }],
  ]),
  { name: 'tokenizer_info', path: '/tokenizer_info' },
];

export const server: ConformanceRequest[] = [
  { name: 'health', path: '/health' },
  { name: 'health by POST', method: 'POST', path: '/health' },
  { name: 'health by HEAD', method: 'HEAD', path: '/health' },
  { name: 'ping', path: '/ping' },
  { name: 'ping by POST', method: 'POST', path: '/ping' },
  { name: 'version', path: '/version' },
  { name: 'load', path: '/load' },
  { name: 'models', path: '/v1/models' },
  { name: 'models by POST', path: '/v1/models', body: {} },
  { name: 'one model', path: `/v1/models/${CHAT_MODEL}` },
  { name: 'models with a query', path: '/v1/models?limit=1' },
  { name: 'chat by GET', path: '/v1/chat/completions' },
  { name: 'chat by DELETE', method: 'DELETE', path: '/v1/chat/completions' },
  { name: 'chat by OPTIONS', method: 'OPTIONS', path: '/v1/chat/completions' },
  { name: 'a slash too many', path: '/v1/models/' },
  { name: 'no such path', path: '/v1/none' },
  { name: 'root', path: '/' },
  { name: 'sleep without dev mode', method: 'POST', path: '/sleep' },
  { name: 'is_sleeping without dev mode', path: '/is_sleeping' },
  { name: 'embeddings of a model that chats', path: '/v1/embeddings', body: { ...MODEL, input: 'x' } },
  { name: 'score of a model that chats', path: '/score', body: { ...MODEL, text_1: 'a', text_2: 'b' } },
  { name: 'rerank of a model that chats', path: '/rerank', body: { ...MODEL, query: 'a', documents: ['b'] } },
  { name: 'pooling of a model that chats', path: '/pooling', body: { ...MODEL, input: 'x' } },
  { name: 'classify of a model that chats', path: '/classify', body: { ...MODEL, input: 'x' } },
  { name: 'speech to text of a model that chats', path: '/v1/audio/transcriptions', body: {} },
  ...requestsTo('/invocations', MODEL, [
    ['a chat', { messages: [{ role: 'user', content: 'Hi' }], temperature: 0, max_tokens: 3, min_tokens: 3 }],
    ['a completion', { prompt: 'Hi', temperature: 0, max_tokens: 3, min_tokens: 3 }],
    ['error: neither', {}],
  ]),
];

/** Adapters at run time. Their order matters. `<adapter>` becomes the folder of the adapter. */
export const adapters: ConformanceRequest[] = [
  ...requestsTo('/v1/load_lora_adapter', {}, [
    ['error: no name', { lora_path: '<adapter>' }],
    ['error: no path', { lora_name: ADAPTER }],
    ['error: a path that is not there', { lora_name: ADAPTER, lora_path: '/nowhere' }],
    ['error: the name of the model', { lora_name: CHAT_MODEL, lora_path: '<adapter>' }],
    ['load', { lora_name: ADAPTER, lora_path: '<adapter>' }],
    ['error: loaded already', { lora_name: ADAPTER, lora_path: '<adapter>' }],
    ['load again in place', { lora_name: ADAPTER, lora_path: '<adapter>', load_inplace: true }],
  ]),
  { name: 'models with an adapter', path: '/v1/models' },
  ...requestsTo('/v1/chat/completions', { model: ADAPTER, temperature: 0, max_tokens: 3, min_tokens: 3 }, [
    ['of an adapter', { messages: [{ role: 'user', content: 'Hi' }] }],
    ['of an adapter, streamed', { messages: [{ role: 'user', content: 'Hi' }], stream: true }],
  ]),
  { name: 'tokenize for an adapter', path: '/tokenize', body: { model: ADAPTER, prompt: 'Hi' } },
  ...requestsTo('/v1/unload_lora_adapter', {}, [
    ['error: no name', {}],
    ['error: not loaded', { lora_name: 'none' }],
    ['unload', { lora_name: ADAPTER }],
    ['error: unloaded already', { lora_name: ADAPTER }],
  ]),
  {
    name: 'a chat of an adapter that is unloaded',
    path: '/v1/chat/completions',
    body: { model: ADAPTER, messages: [{ role: 'user', content: 'Hi' }] },
  },
];

/** Asked last, when all metrics have a value. */
export const surface: ConformanceRequest[] = [
  { name: 'metrics', path: '/metrics' },
  { name: 'openapi', path: '/openapi.json' },
];
