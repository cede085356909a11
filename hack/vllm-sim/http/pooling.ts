/** The endpoints of pooling models: embeddings, scores, classes. */
import { hashPrompt } from '../engine/chain-hash.ts';
import { Random } from '../engine/random.ts';
import { specialToken, tokenize } from '../engine/tokenizer.ts';
import type { Sim } from '../sim.ts';
import { ApiError, badSchema, badValue } from './api-error.ts';
import type { Exchange } from './exchange.ts';
import { type Body, integer, isRecord, required, text } from './fields.ts';
import { prefill, type ResolvedModel, resolveModel } from './generation.ts';
import { readMessages, readPrompts, renderChat } from './prompt.ts';
import { checkPromptLength } from './sampling.ts';

interface Pooled {
  vectors: number[][];
  promptTokens: number;
}

export async function embeddings(exchange: Exchange): Promise<void> {
  const body = await exchange.readJson();
  const model = poolingModel(exchange, body);
  const format = text(body, 'encoding_format') ?? 'float';
  if (!ENCODINGS.includes(format)) {
    throw badSchema(
      'literal_error',
      ['encoding_format'],
      "Input should be 'float', 'base64' or 'bytes'",
      format,
    );
  }
  const base64 = format === 'base64';
  const { vectors, promptTokens } = await pool(exchange.sim, inputs(body), integer(body, 'dimensions'));
  exchange.json(200, {
    id: `embd-${exchange.id}`,
    object: 'list',
    created: Math.floor(Date.now() / 1000),
    model: model.name,
    data: vectors.map((vector, index) => ({
      index,
      object: 'embedding',
      embedding: base64 ? Buffer.from(new Float32Array(vector).buffer).toString('base64') : vector,
    })),
    usage: usage(promptTokens),
  });
}

/** POST /pooling: as embeddings, under another name. */
export async function pooling(exchange: Exchange): Promise<void> {
  const body = await exchange.readJson();
  const model = poolingModel(exchange, body);
  const width = exchange.sim.settings.task === 'classify' ? 1 : undefined;
  const { vectors, promptTokens } = await pool(exchange.sim, inputs(body), width);
  exchange.json(200, {
    id: `pooling-${exchange.id}`,
    object: 'list',
    created: Math.floor(Date.now() / 1000),
    model: model.name,
    data: vectors.map((data, index) => ({ index, object: 'pooling', data })),
    usage: usage(promptTokens),
  });
}

export async function classify(exchange: Exchange): Promise<void> {
  const body = await exchange.readJson();
  const model = poolingModel(exchange, body);
  const { vectors, promptTokens } = await pool(exchange.sim, inputs(body), 2);
  exchange.json(200, {
    id: `classify-${exchange.id}`,
    object: 'list',
    created: Math.floor(Date.now() / 1000),
    model: model.name,
    data: vectors.map(([a = 0], index) => ({
      index,
      label: 'LABEL_0',
      probs: [(a + 1) / 2],
      num_classes: 1,
    })),
    usage: usage(promptTokens),
  });
}

export async function score(exchange: Exchange): Promise<void> {
  const body = await exchange.readJson();
  const model = poolingModel(exchange, body);
  const named = body.text_1 === undefined || body.text_2 === undefined;
  const left = strings(body, named ? 'queries' : 'text_1');
  const right = strings(body, named ? 'documents' : 'text_2');
  if (right.length === 0) {
    throw badValue('At least one text_pair element must be given', null);
  }
  if (left.length !== 1 && left.length !== right.length) {
    throw badValue('Input lengths must be either 1:1, 1:N or N:N', null);
  }
  const pairs = right.map((document, i) => tokenize(`${left[left.length === 1 ? 0 : i] ?? ''}\n${document}`));
  const { vectors, promptTokens } = await pool(exchange.sim, pairs, 2);
  exchange.json(200, {
    id: `score-${exchange.id}`,
    object: 'list',
    created: Math.floor(Date.now() / 1000),
    model: model.name,
    data: vectors.map(([a = 0], index) => ({ index, object: 'score', score: (a + 1) / 2 })),
    usage: usage(promptTokens),
  });
}

export async function rerank(exchange: Exchange): Promise<void> {
  const body = await exchange.readJson();
  const model = poolingModel(exchange, body);
  required(body, 'query');
  const query = text(body, 'query') ?? '';
  const documents = strings(body, 'documents');
  if (documents.length === 0) {
    throw badValue('At least one text_pair element must be given', null);
  }
  const pairs = documents.map((document) => tokenize(`${query}\n${document}`));
  const { vectors, promptTokens } = await pool(exchange.sim, pairs, 2);
  const results = vectors
    .map(([a = 0], index) => ({
      index,
      document: { text: documents[index] ?? '', multi_modal: null },
      relevance_score: (a + 1) / 2,
    }))
    .sort((a, b) => b.relevance_score - a.relevance_score);
  const top = integer(body, 'top_n') ?? 0;
  exchange.json(200, {
    id: `score-${exchange.id}`,
    model: model.name,
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
    results: top > 0 ? results.slice(0, top) : results,
  });
}

const ENCODINGS = ['float', 'base64', 'bytes', 'bytes_only'];

/** The model of a request. If there is no such model, the error of these endpoints names neither the field nor the served names. */
function poolingModel({ sim }: Exchange, body: Body): ResolvedModel {
  const name = text(body, 'model');
  if (name !== undefined && name !== '' && !sim.settings.servedNames.includes(name)) {
    throw new ApiError(404, 'NotFoundError', `The model \`${name}\` does not exist.`);
  }
  const dimensions = integer(body, 'dimensions');
  if (dimensions !== undefined) {
    throw badValue(
      `Model '${sim.settings.servedNames[0]}' does not support Matryoshka embeddings; dimensions must be unset ` +
        `(received dimensions=${dimensions}).`,
      null,
    );
  }
  return resolveModel(sim, body);
}

function inputs(body: Body): number[][] {
  if (body.messages !== undefined) {
    return [renderChat(readMessages(body), undefined)];
  }
  const prompts = readPrompts(body, 'input');
  if (prompts.length === 0) {
    throw badValue('You must pass at least one prompt', null);
  }
  const limit = integer(body, 'truncate_prompt_tokens') ?? Number.POSITIVE_INFINITY;
  // An encoder adds its own marks, so that an empty text has tokens too.
  return prompts.map((ids) => (ids.length === 0 ? [specialToken('begin')] : ids.slice(0, limit)));
}

function strings(body: Body, name: string): string[] {
  const value = required(body, name);
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map((item, i) => {
    const content = isRecord(item) ? item.text : item;
    if (typeof content !== 'string') {
      throw badSchema('string_type', [name, i], 'Input should be a valid string', item);
    }
    return content;
  });
}

async function pool(sim: Sim, prompts: readonly number[][], dimensions?: number): Promise<Pooled> {
  for (const tokens of prompts) {
    checkPromptLength({ promptTokens: tokens.length, ...sim.settings, maxTokens: undefined });
  }
  await Promise.all(prompts.map((tokens) => prefill(sim, tokens)));
  const width = dimensions ?? sim.settings.embeddingDimensions;
  return {
    vectors: prompts.map((tokens) => unitVector(tokens, width)),
    promptTokens: prompts.reduce((sum, { length }) => sum + length, 0),
  };
}

/** A vector of length one that depends on the tokens alone. */
function unitVector(tokens: readonly number[], width: number): number[] {
  const random = new Random(hashPrompt(tokens, 16).chain.value);
  const raw = Array.from({ length: width }, () => random.integer(2001) / 1000 - 1);
  const norm = Math.hypot(...raw) || 1;
  return raw.map((x) => x / norm);
}

function usage(promptTokens: number): object {
  return {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens,
    completion_tokens: 0,
    prompt_tokens_details: null,
    completion_tokens_details: null,
  };
}
