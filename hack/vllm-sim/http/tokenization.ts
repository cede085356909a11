/** POST /tokenize and /detokenize. */
import { detokenize, tokenize, tokenText } from '../engine/tokenizer.ts';
import { badSchema } from './api-error.ts';
import type { Exchange } from './exchange.ts';
import { flag, required, text } from './fields.ts';
import { resolveModel } from './generation.ts';
import { readId, readMessages, renderChat } from './prompt.ts';

export async function tokenizeText(exchange: Exchange): Promise<void> {
  const body = await exchange.readJson();
  const prompt = text(body, 'prompt');
  if (prompt === undefined && body.messages === undefined) {
    throw badSchema('missing', ['prompt'], 'Field required', body);
  }
  const messages = prompt === undefined ? readMessages(body) : undefined;
  resolveModel(exchange.sim, body);
  const tokens = messages === undefined ? tokenize(prompt ?? '') : renderChat(messages, body.tools);
  exchange.json(200, {
    count: tokens.length,
    max_model_len: exchange.sim.settings.maxModelLen,
    tokens,
    token_strs: flag(body, 'return_token_strs') === true ? tokens.map(tokenText) : null,
  });
}

export async function detokenizeIds(exchange: Exchange): Promise<void> {
  const body = await exchange.readJson();
  const tokens = required(body, 'tokens');
  if (!Array.isArray(tokens)) {
    throw badSchema('list_type', ['tokens'], 'Input should be a valid list', tokens);
  }
  const ids = tokens.map((id: unknown, i) => readId(id, ['tokens', i]));
  resolveModel(exchange.sim, body);
  exchange.json(200, { prompt: detokenize(ids) });
}
