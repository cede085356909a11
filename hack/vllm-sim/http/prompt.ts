/** Prompts of the API's forms as tokens. */
import { specialToken, tokenize } from '../engine/tokenizer.ts';
import { badSchema, badValue } from './api-error.ts';
import { type Body, isRecord, required } from './fields.ts';

/** Placeholder tokens of an image or a sound. */
const MEDIA_TOKENS = 64;

/** The messages of a chat request, checked as far as pydantic does. */
export function readMessages(body: Body, name = 'messages'): Body[] {
  const messages = required(body, name);
  if (!Array.isArray(messages)) {
    throw badSchema('list_type', [name], 'Input should be a valid list', messages);
  }
  return messages.map((message: unknown, i) => {
    if (!isRecord(message)) {
      throw badSchema('dict_type', [name, i], 'Input should be a valid dictionary', message);
    }
    if (typeof message.role !== 'string') {
      throw badSchema('missing', [name, i, 'role'], 'Field required', message);
    }
    if (typeof message.content === 'number' || typeof message.content === 'boolean') {
      throw badSchema('string_type', [name, i, 'content'], 'Input should be a valid string', message.content);
    }
    return message;
  });
}

/** Renders a chat: each message between its role's marker and an end, then the assistant's turn. */
export function renderChat(messages: readonly Body[], tools: unknown): number[] {
  if (messages.length === 0) {
    throw badValue(
      'Cannot apply chat template to an empty conversation. Provide at least one message.',
      null,
    );
  }
  const tokens = [specialToken('begin')];
  if (Array.isArray(tools) && tools.length > 0) {
    tokens.push(specialToken('system'));
    tokenize(JSON.stringify(tools), tokens);
    tokens.push(specialToken('end'));
  }
  for (const message of messages) {
    tokens.push(specialToken(String(message.role)));
    renderContent(message.content, tokens);
    if (Array.isArray(message.tool_calls)) {
      tokenize(JSON.stringify(message.tool_calls), tokens);
    }
    tokens.push(specialToken('end'));
  }
  tokens.push(specialToken('assistant'));
  return tokens;
}

function renderContent(content: unknown, into: number[]): void {
  if (typeof content === 'string') {
    tokenize(content, into);
    return;
  }
  for (const part of Array.isArray(content) ? content : []) {
    if (typeof part === 'string') {
      tokenize(part, into);
    } else if (isRecord(part) && typeof part.text === 'string') {
      tokenize(part.text, into);
    } else {
      const media = tokenize(JSON.stringify(part));
      for (let i = 0; i < MEDIA_TOKENS; i += 1) {
        into.push(media[(i * 7) % media.length] ?? i);
      }
    }
  }
}

/** Text of the last message, for echo. */
export function lastText(messages: readonly Body[]): string {
  const content = messages.at(-1)?.content;
  if (typeof content === 'string') {
    return content;
  }
  const parts: unknown[] = Array.isArray(content) ? content : [];
  return parts.map((part) => (isRecord(part) && typeof part.text === 'string' ? part.text : '')).join('');
}

/**
 * Prompts of a completion or an embedding: a text, token ids, or a list of either. A value of another kind is refused as
 * pydantic refuses it, which names the first kind of the union that it tried.
 */
export function readPrompts(body: Body, name: string): number[][] {
  const value = required(body, name);
  if (typeof value === 'string') {
    return [tokenize(value)];
  }
  if (!Array.isArray(value)) {
    throw badSchema('list_type', [name], 'Input should be a valid list', value);
  }
  const list: unknown[] = value;
  if (typeof list[0] === 'number') {
    return [list.map((id, i) => readId(id, [name, i]))];
  }
  return list.map((item, i) => {
    if (typeof item === 'string') {
      return tokenize(item);
    }
    if (Array.isArray(item)) {
      return item.map((id: unknown, at) => readId(id, [name, i, at]));
    }
    throw badSchema('string_type', [name, i], 'Input should be a valid string', item);
  });
}

/** A token's id. Throws ApiError 400. */
export function readId(id: unknown, place: (string | number)[]): number {
  if (typeof id !== 'number') {
    throw badSchema(
      'int_parsing',
      place,
      'Input should be a valid integer, unable to parse string as an integer',
      id,
    );
  }
  if (id < 0) {
    throw badSchema('greater_than_equal', place, 'Input should be greater than or equal to 0', id);
  }
  return id;
}
