import { CHAT_MODEL, requestsTo } from '../request.ts';

const user = (content: unknown) => [{ role: 'user', content }];
const messages = user('What is the weather in Bonn?');
const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'Weather of a city',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string', enum: ['Bonn'] } },
      required: ['city'],
      additionalProperties: false,
    },
  },
};
const time = {
  type: 'function',
  function: {
    name: 'get_time',
    parameters: {
      type: 'object',
      properties: { zone: { type: 'string', enum: ['UTC'] } },
      required: ['zone'],
      additionalProperties: false,
    },
  },
};
const named = { type: 'function', function: { name: 'get_weather' } };
const schema = {
  type: 'object',
  properties: { answer: { type: 'string', enum: ['yes'] } },
  required: ['answer'],
  additionalProperties: false,
};
const jsonSchema = { type: 'json_schema', json_schema: { name: 'answer', schema } };
const usage = { include_usage: true };

/** Answers of five tokens, greedy, and never ended by the model itself. */
const DEFAULTS = { model: CHAT_MODEL, messages, temperature: 0, max_tokens: 5, min_tokens: 5 };
/** Constrained answers end when they are complete. */
const CONSTRAINED = { min_tokens: 0, max_tokens: 64 };

/** Well-formed chat requests. */
export const chat = requestsTo('/v1/chat/completions', DEFAULTS, [
  ['plain', {}],
  ['the model left out', { model: undefined }],
  ['stream', { stream: true }],
  ['stream with usage', { stream: true, stream_options: usage }],
  [
    'stream with usage in every chunk',
    { stream: true, stream_options: { ...usage, continuous_usage_stats: true } },
  ],
  ['stream with empty options', { stream: true, stream_options: {} }],
  ['two choices', { n: 2, temperature: 1, seed: 1 }],
  ['two choices streamed', { n: 2, temperature: 1, seed: 1, stream: true, stream_options: usage }],
  ['one token', { max_tokens: 1, min_tokens: 0 }],
  ['one token streamed', { max_tokens: 1, min_tokens: 0, stream: true }],
  ['max_completion_tokens', { max_completion_tokens: 3, max_tokens: undefined, min_tokens: 3 }],
  ['max_completion_tokens beside max_tokens', { max_completion_tokens: 3, max_tokens: 9, min_tokens: 3 }],
  ['logprobs', { logprobs: true }],
  ['logprobs with alternatives', { logprobs: true, top_logprobs: 2 }],
  ['logprobs streamed', { logprobs: true, top_logprobs: 1, stream: true }],
  ['logprobs without alternatives asked for', { logprobs: true, top_logprobs: 0 }],
  ['a seed', { temperature: 1, seed: 42 }],
  ['a stop string that never comes', { stop: ['\u0000never'] }],
  ['a system message', { messages: [{ role: 'system', content: 'Be brief.' }, ...messages] }],
  ['a developer message', { messages: [{ role: 'developer', content: 'Be brief.' }, ...messages] }],
  [
    'several turns',
    { messages: [...messages, { role: 'assistant', content: 'Sunny.' }, { role: 'user', content: 'And?' }] },
  ],
  ['parts of text', { messages: user([{ type: 'text', text: 'Hello' }]) }],
  ['a name in a message', { messages: [{ role: 'user', name: 'ann', content: 'Hello' }] }],
  ['text outside of ASCII', { messages: user('Grüße, 世界 🌍') }],
  ['an empty message', { messages: user('') }],
  [
    'the result of a tool',
    {
      messages: [
        ...messages,
        {
          role: 'assistant',
          content: null,
          tool_calls: [
            {
              id: 'call_1',
              type: 'function',
              function: { name: 'get_weather', arguments: '{"city":"Bonn"}' },
            },
          ],
        },
        { role: 'tool', tool_call_id: 'call_1', content: 'sun' },
      ],
      tools: [weather],
      tool_choice: 'none',
    },
  ],
  ['tools, choice none', { tools: [weather], tool_choice: 'none' }],
  ['tools, a named one', { ...CONSTRAINED, tools: [weather, time], tool_choice: named }],
  ['tools, a named one streamed', { ...CONSTRAINED, tools: [weather], tool_choice: named, stream: true }],
  ['tools, required', { ...CONSTRAINED, tools: [weather], tool_choice: 'required' }],
  [
    'tools, required, streamed with usage',
    { ...CONSTRAINED, tools: [weather], tool_choice: 'required', stream: true, stream_options: usage },
  ],
  ['an empty list of tools', { tools: [] }],
  ['a JSON schema', { ...CONSTRAINED, response_format: jsonSchema }],
  ['a JSON schema streamed', { ...CONSTRAINED, response_format: jsonSchema, stream: true }],
  ['response format text', { response_format: { type: 'text' } }],
  ['a choice of words', { ...CONSTRAINED, structured_outputs: { choice: ['red'] } }],
  ['a regular expression', { ...CONSTRAINED, structured_outputs: { regex: '[0-9]{3}' } }],
  ['ignore_eos', { min_tokens: 0, ignore_eos: true }],
  [
    'sampling parameters',
    { top_p: 0.9, top_k: 10, min_p: 0.1, repetition_penalty: 1.1, temperature: 0.7, seed: 1 },
  ],
  ['penalties', { presence_penalty: 1, frequency_penalty: -1 }],
  ['a bias', { logit_bias: { '65': -100 } }],
  ['stop token ids', { stop_token_ids: [1] }],
  ['a user and metadata', { user: 'u', metadata: { a: 'b' }, store: false }],
  ['a priority of 0', { priority: 0 }],
  ['a cache salt', { cache_salt: 'salt' }],
  ['an unknown field', { no_such_field: 1 }],
  ['null for optional fields', { stop: null, tools: null, logit_bias: null, seed: null, n: null }],
  ['token ids', { return_token_ids: true }],
  ['tokens as ids', { logprobs: true, return_tokens_as_token_ids: true }],
  ['prompt logprobs', { prompt_logprobs: 1 }],
  ['a request id in a header', {}, { 'x-request-id': 'client-1' }],
  ['no generation prompt', { add_generation_prompt: false }],
  ['a template argument', { chat_template_kwargs: { enable_thinking: false } }],
  ['reasoning effort', { reasoning_effort: 'low' }],
  ['echo', { echo: true, add_generation_prompt: false }],
  [
    'parallel tool calls off',
    { ...CONSTRAINED, tools: [weather], tool_choice: named, parallel_tool_calls: false },
  ],
]);

/** What a client can get wrong in a chat. */
export const chatErrors = requestsTo('/v1/chat/completions', DEFAULTS, [
  ['error: unknown model', { model: 'none' }],
  ['error: no messages', { messages: undefined }],
  ['error: empty messages', { messages: [] }],
  ['error: messages is a text', { messages: 'hello' }],
  ['error: a message is a text', { messages: ['hello'] }],
  ['error: a message without a role', { messages: [{ content: 'x' }] }],
  ['error: an unknown role', { messages: [{ role: 'nobody', content: 'x' }] }],
  ['error: content is a number', { messages: user(5) }],
  ['error: an unknown part', { messages: user([{ type: 'smell', smell: 'x' }]) }],
  [
    'error: a picture for a model without eyes',
    { messages: user([{ type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } }]) },
  ],
  ['error: temperature below 0', { temperature: -1 }],
  ['error: temperature is a text', { temperature: 'hot' }],
  ['error: temperature above 2', { temperature: 2.5 }],
  ['error: top_p of 0', { top_p: 0 }],
  ['error: top_p above 1', { top_p: 1.5 }],
  ['error: top_k below -1', { top_k: -2 }],
  ['error: min_p above 1', { min_p: 2 }],
  ['error: presence_penalty', { presence_penalty: 3 }],
  ['error: frequency_penalty', { frequency_penalty: -3 }],
  ['error: repetition_penalty', { repetition_penalty: 0 }],
  ['error: n of 0', { n: 0 }],
  ['error: n is a text', { n: 'two' }],
  ['error: n of 2, greedy', { n: 2 }],
  ['error: max_tokens of 0', { max_tokens: 0, min_tokens: 0 }],
  ['error: max_tokens below 0', { max_tokens: -1, min_tokens: 0 }],
  ['error: max_tokens is a text', { max_tokens: 'many' }],
  ['error: max_tokens is a fraction', { max_tokens: 1.5 }],
  ['error: max_tokens beyond the context', { max_tokens: 100000 }],
  ['error: max_completion_tokens beyond the context', { max_completion_tokens: 100000 }],
  ['error: min_tokens above max_tokens', { min_tokens: 6 }],
  ['error: min_tokens below 0', { min_tokens: -1 }],
  ['error: a prompt beyond the context', { messages: user('word '.repeat(4000)) }],
  ['error: a prompt beyond the context, streamed', { messages: user('word '.repeat(4000)), stream: true }],
  ['error: stream options without a stream', { stream_options: usage }],
  ['error: stream is a text', { stream: 'maybe' }],
  ['error: top_logprobs without logprobs', { top_logprobs: 2 }],
  ['error: top_logprobs below 0', { logprobs: true, top_logprobs: -2 }],
  ['error: more alternatives than allowed', { logprobs: true, top_logprobs: 50 }],
  ['error: prompt_logprobs in a stream', { prompt_logprobs: 1, stream: true }],
  ['error: stop is a number', { stop: 5 }],
  ['error: an empty stop string', { stop: '' }],
  ['error: a bias out of the vocabulary', { logit_bias: { '999999': 1 } }],
  ['error: a priority without priorities', { priority: 5 }],
  ['error: an empty cache salt', { cache_salt: '' }],
  ['error: a seed that is a text', { seed: 'x' }],
  ['error: a choice of tools without tools', { tool_choice: 'auto' }],
  [
    'error: a named tool that is not there',
    { tools: [weather], tool_choice: { type: 'function', function: { name: 'none' } } },
  ],
  ['error: required without tools', { tool_choice: 'required' }],
  ['error: an unknown choice of tools', { tools: [weather], tool_choice: 'sometimes' }],
  ['error: a tool without a function', { tools: [{ type: 'function' }] }],
  ['error: an unknown response format', { response_format: { type: 'xml' } }],
  ['error: a JSON schema left out', { response_format: { type: 'json_schema' } }],
  [
    'error: a bad schema',
    { response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'nonsense' } } } },
  ],
  ['error: a bad regular expression', { structured_outputs: { regex: '([' } }],
  ['error: two kinds of structured output', { structured_outputs: { regex: 'a', choice: ['a'] } }],
  [
    'error: generation prompt and continuation',
    { continue_final_message: true, add_generation_prompt: true },
  ],
  ['error: a chat template of the client', { chat_template: '{{ messages }}' }],
  ['error: best_of', { best_of: 2 }],
  ['error: a list', []],
  ['error: a text', '"text"'],
  ['error: null', 'null'],
  ['error: an empty body', ''],
  ['error: cut JSON', '{"model":'],
  ['error: a comma too many', '{"model":"tiny",}'],
  ['error: no UTF-8', '{"model":"\ud800"}'],
  ['error: no content type', '{}', { 'content-type': '' }],
  ['error: a form', 'model=tiny', { 'content-type': 'application/x-www-form-urlencoded' }],
  ['error: plain text', '{}', { 'content-type': 'text/plain' }],
  ['a content type with a charset', {}, { 'content-type': 'application/json; charset=utf-8' }],
]);
