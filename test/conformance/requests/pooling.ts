import { type ConformanceRequest, EMBED_MODEL, RERANK_MODEL, requestsTo } from '../request.ts';

const EMBED = { model: EMBED_MODEL };
const RERANK = { model: RERANK_MODEL };
const pair = { text_1: 'What is a river?', text_2: 'Water that flows.' };
const ranking = { query: 'What is a river?', documents: ['Water that flows.', 'A kind of cheese.', 'Bonn'] };

/** Requests to an embedding model. */
export const embedder: ConformanceRequest[] = [
  ...requestsTo('/v1/embeddings', { ...EMBED, input: 'Hello' }, [
    ['a text', {}],
    ['a list of texts', { input: ['Hello', 'world'] }],
    ['token ids', { input: [65, 66] }],
    ['lists of token ids', { input: [[65], [66, 67]] }],
    ['base64', { encoding_format: 'base64' }],
    ['float', { encoding_format: 'float' }],
    ['a chat', { input: undefined, messages: [{ role: 'user', content: 'Hello' }] }],
    ['truncated', { input: 'word '.repeat(1000), truncate_prompt_tokens: 8 }],
    ['a user', { user: 'u' }],
    ['error: unknown model', { model: 'none' }],
    ['error: no input', { input: undefined }],
    ['error: null', { input: null }],
    ['error: an empty list', { input: [] }],
    ['an empty text', { input: '' }],
    ['error: dimensions of a model with one size', { dimensions: 8 }],
    ['error: an unknown encoding', { encoding_format: 'hex' }],
    ['error: beyond the context', { input: 'word '.repeat(1000) }],
    ['error: a number', { input: 5 }],
    ['error: cut JSON', '{'],
  ]),
  { name: 'pooling', path: '/pooling', body: { ...EMBED, input: 'Hello' } },
  { name: 'score by vectors', path: '/score', body: { ...EMBED, ...pair } },
  { name: 'rerank by vectors', path: '/rerank', body: { ...EMBED, ...ranking } },
  { name: 'classify of an embedding model', path: '/classify', body: { ...EMBED, input: 'x' } },
  { name: 'chat of an embedding model', path: '/v1/chat/completions', body: { ...EMBED, messages: [] } },
  { name: 'completions of an embedding model', path: '/v1/completions', body: { ...EMBED, prompt: 'x' } },
  { name: 'tokenize', path: '/tokenize', body: { ...EMBED, prompt: 'Hello' } },
  { name: 'models', path: '/v1/models' },
  { name: 'health', path: '/health' },
];

/** Requests to a reranker. */
export const reranker: ConformanceRequest[] = [
  ...requestsTo('/score', RERANK, [
    ['a pair', pair],
    ['one with many', { ...pair, text_2: ['Water.', 'Cheese.'] }],
    ['many with many', { text_1: ['a', 'b'], text_2: ['c', 'd'] }],
    ['queries and documents', { queries: 'a', documents: ['b', 'c'] }],
    ['error: two with three', { text_1: ['a', 'b'], text_2: ['c', 'd', 'e'] }],
    ['error: no second text', { text_1: 'a' }],
    ['error: empty list', { text_1: 'a', text_2: [] }],
    ['error: unknown model', { ...pair, model: 'none' }],
    ['error: beyond the context', { ...pair, text_2: 'word '.repeat(1000) }],
  ]),
  { name: '/v1/score', path: '/v1/score', body: { ...RERANK, ...pair } },
  ...requestsTo('/rerank', { ...RERANK, ...ranking }, [
    ['three documents', {}],
    ['the best one', { top_n: 1 }],
    ['top_n of 0', { top_n: 0 }],
    ['top_n above the number of documents', { top_n: 9 }],
    ['error: no query', { query: undefined }],
    ['error: no documents', { documents: undefined }],
    ['error: empty documents', { documents: [] }],
    ['error: unknown model', { model: 'none' }],
  ]),
  { name: '/v1/rerank', path: '/v1/rerank', body: { ...RERANK, ...ranking } },
  { name: '/v2/rerank', path: '/v2/rerank', body: { ...RERANK, ...ranking } },
  { name: 'classify', path: '/classify', body: { ...RERANK, input: 'Hello' } },
  { name: 'classify a list', path: '/classify', body: { ...RERANK, input: ['Hello', 'world'] } },
  { name: 'embeddings of a reranker', path: '/v1/embeddings', body: { ...RERANK, input: 'Hello' } },
  { name: 'pooling of a reranker', path: '/pooling', body: { ...RERANK, input: 'Hello' } },
  { name: 'models', path: '/v1/models' },
];
