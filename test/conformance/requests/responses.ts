import { CHAT_MODEL, type ConformanceRequest, requestsTo } from '../request.ts';

const DEFAULTS = {
  model: CHAT_MODEL,
  input: 'Hello',
  temperature: 0,
  max_output_tokens: 5,
  ignore_eos: true,
};
const MESSAGES = {
  model: CHAT_MODEL,
  messages: [{ role: 'user', content: 'Hello' }],
  temperature: 0,
  max_tokens: 5,
};

export const responses: ConformanceRequest[] = [
  ...requestsTo('/v1/responses', DEFAULTS, [
    ['plain', {}],
    ['stream', { stream: true }],
    ['messages as input', { input: [{ role: 'user', content: 'Hello' }] }],
    ['parts as input', { input: [{ role: 'user', content: [{ type: 'input_text', text: 'Hello' }] }] }],
    ['instructions', { instructions: 'Be brief.' }],
    ['not stored', { store: false }],
    ['metadata', { metadata: { a: 'b' } }],
    ['error: unknown model', { model: 'none' }],
    ['error: no input', { input: undefined }],
    ['error: input is a number', { input: 5 }],
    ['error: temperature below 0', { temperature: -1 }],
    ['error: an unknown previous response', { previous_response_id: 'resp_none' }],
    ['error: a previous response that is no response', { previous_response_id: 'none' }],
    ['error: in the background without a store', { background: true, store: false }],
    ['error: beyond the context', { input: 'word '.repeat(4000) }],
  ]),
  { name: 'GET an unknown response', path: '/v1/responses/resp_none' },
  { name: 'GET an id that is no response', path: '/v1/responses/none' },
  { name: 'cancel an unknown response', method: 'POST', path: '/v1/responses/resp_none/cancel' },
];

export const messages: ConformanceRequest[] = [
  ...requestsTo('/v1/messages', MESSAGES, [
    ['plain', {}],
    ['stream', { stream: true }],
    ['a system prompt', { system: 'Be brief.' }],
    ['a system prompt in parts', { system: [{ type: 'text', text: 'Be brief.' }] }],
    ['parts of text', { messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }] }],
    [
      'several turns',
      {
        messages: [
          { role: 'user', content: 'Hello' },
          { role: 'assistant', content: 'Hi' },
          { role: 'user', content: 'And?' },
        ],
      },
    ],
    ['a stop sequence that never comes', { stop_sequences: ['\u0000never'] }],
    [
      'headers of the SDK',
      {},
      { 'anthropic-version': '2023-06-01', 'x-api-key': 'none', 'anthropic-beta': 'x' },
    ],
    ['error: unknown model', { model: 'none' }],
    ['error: no max_tokens', { max_tokens: undefined }],
    ['error: max_tokens of 0', { max_tokens: 0 }],
    ['error: no messages', { messages: undefined }],
    ['error: empty messages', { messages: [] }],
    ['error: an unknown role', { messages: [{ role: 'nobody', content: 'x' }] }],
    ['error: beyond the context', { messages: [{ role: 'user', content: 'word '.repeat(4000) }] }],
    ['error: cut JSON', '{"model":'],
  ]),
  ...requestsTo('/v1/messages/count_tokens', { model: CHAT_MODEL, messages: MESSAGES.messages }, [
    ['plain', {}],
    ['error: unknown model', { model: 'none' }],
    ['error: no messages', { messages: undefined }],
  ]),
];
