/** The library of OpenAI for JavaScript and TypeScript. docs/how-to/clients.md shows the parts between `snippet` and `end`. */
import assert from 'node:assert/strict';
// snippet: client
import OpenAI from 'openai';
import { Agent, fetch } from 'undici';

const client = new OpenAI({ baseURL: process.env.OPENAI_BASE_URL, apiKey: process.env.OPENAI_API_KEY });
// end

const messages = [{ role: 'user' as const, content: 'Say hello.' }];
const names: string[] = [];
for await (const { id } of client.models.list()) names.push(id);
assert.ok(names.includes('qwen'));
assert.equal((await client.models.retrieve('qwen')).id, 'qwen');

// snippet: chat
const completion = await client.chat.completions.create({
  model: 'qwen',
  messages: [{ role: 'user', content: 'Say hello.' }],
  max_tokens: 50,
  temperature: 0,
});
console.log(completion.choices[0]?.message.content);
// end
assert.equal(typeof completion.choices[0]?.message.content, 'string');
assert.ok(completion._request_id);
assert.ok(completion.usage?.completion_tokens);

let text = '';
let usage: OpenAI.CompletionUsage | null | undefined;
// snippet: stream
const stream = await client.chat.completions.create({
  model: 'qwen',
  messages: [{ role: 'user', content: 'Say hello.' }],
  max_tokens: 50,
  temperature: 0,
  stream: true,
  stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  text += chunk.choices[0]?.delta.content ?? '';
  usage = chunk.usage; // in the last chunk
}
// end
assert.equal(text, completion.choices[0]?.message.content);
assert.deepEqual(
  [usage?.prompt_tokens, usage?.completion_tokens],
  [completion.usage.prompt_tokens, completion.usage.completion_tokens],
);

// snippet: tools
const tools: OpenAI.ChatCompletionTool[] = [
  {
    type: 'function',
    function: {
      name: 'get_weather',
      strict: true, // arguments must follow the schema
      description: 'The weather of a city',
      parameters: {
        type: 'object',
        properties: { city: { type: 'string', enum: ['Bonn', 'Oslo'] } },
        required: ['city'],
        additionalProperties: false,
      },
    },
  },
];
const conversation: OpenAI.ChatCompletionMessageParam[] = [
  { role: 'user', content: 'How is the weather in Bonn?' },
];
const asked = await client.chat.completions.create({
  model: 'qwen',
  messages: conversation,
  tools,
  tool_choice: 'required',
  max_tokens: 200,
});
const { message } = asked.choices[0] ?? assert.fail('no choice');
conversation.push(message);
for (const call of message.tool_calls ?? []) {
  if (call.type !== 'function') continue;
  const { city } = JSON.parse(call.function.arguments) as { city: string };
  conversation.push({ role: 'tool', tool_call_id: call.id, content: `Sunny in ${city}.` });
}
const answered = await client.chat.completions.create({
  model: 'qwen',
  messages: conversation,
  tools,
  tool_choice: 'none',
  max_tokens: 50,
});
console.log(answered.choices[0]?.message.content);
// end
assert.ok(conversation.length > 2, 'a tool was called');
assert.equal(
  message.tool_calls?.[0]?.type === 'function' && message.tool_calls[0].function.name,
  'get_weather',
);
const runner = client.chat.completions.stream({
  model: 'qwen',
  messages,
  tools,
  tool_choice: 'required',
  max_tokens: 200,
});
const streamed = (await runner.finalChatCompletion()).choices[0]?.message.tool_calls?.[0];
assert.ok(streamed?.type === 'function' && JSON.parse(streamed.function.arguments).city);

const structured = await client.chat.completions.create({
  model: 'qwen',
  messages,
  max_tokens: 50,
  response_format: {
    type: 'json_schema',
    json_schema: {
      name: 'answer',
      schema: {
        type: 'object',
        properties: { answer: { enum: ['yes', 'no'] } },
        required: ['answer'],
        additionalProperties: false,
      },
    },
  },
});
assert.match(JSON.parse(structured.choices[0]?.message.content ?? '').answer, /^(yes|no)$/);

const response = await client.responses.create({ model: 'qwen', input: 'Say hello.', max_output_tokens: 20 });
assert.equal(typeof response.output_text, 'string');
const types = new Set<string>();
for await (const event of await client.responses.create({
  model: 'qwen',
  input: 'Say hello.',
  max_output_tokens: 20,
  stream: true,
})) {
  types.add(event.type);
}
assert.ok(
  types.has('response.created') && (types.has('response.completed') || types.has('response.incomplete')),
);

// snippet: errors
try {
  await client.chat.completions.create(
    { model: 'qwen-suspended', messages, max_tokens: 50 },
    { maxRetries: 0 },
  );
} catch (error) {
  if (!(error instanceof OpenAI.APIError)) throw error; // not an answer: the address, DNS, a proxy
  console.error(error.status, error.message, error.requestID, error.headers?.get('retry-after'));
}
// end
const ask = (model: string, options: { maxRetries?: number } = {}) =>
  client.chat.completions.create({ model, messages, max_tokens: 5 }, options);
await assert.rejects(ask('qwen-suspended', { maxRetries: 0 }), (error) => {
  assert.ok(error instanceof OpenAI.InternalServerError);
  assert.deepEqual([error.status, error.headers.get('retry-after')], [503, '30']);
  return true;
});
await assert.rejects(ask('nothing'), OpenAI.NotFoundError);
await assert.rejects(
  client.chat.completions.create({ model: 'qwen', messages, max_tokens: 1_000_000 }),
  OpenAI.BadRequestError,
);
const stranger = new OpenAI({ baseURL: process.env.OPENAI_BASE_URL, apiKey: 'wrong' });
await assert.rejects(
  stranger.chat.completions.create({ model: 'qwen', messages }),
  OpenAI.AuthenticationError,
);

// The first is refused with 429 and a Retry-After of one second, the other waits until the model has started.
assert.equal((await ask('qwen-busy')).choices.length, 1);
assert.equal((await ask('qwen-asleep')).choices.length, 1);

// snippet: patience
const patient = new OpenAI({
  baseURL: process.env.OPENAI_BASE_URL,
  apiKey: process.env.OPENAI_API_KEY,
  timeout: 20 * 60 * 1000, // longer than admission.wakeTimeout, which is 15 minutes by default
  maxRetries: 5,
  // Node's own fetch ends a request that has no answer after 5 minutes, whatever `timeout` says.
  fetch: fetch as typeof globalThis.fetch,
  fetchOptions: { dispatcher: new Agent({ headersTimeout: 0, bodyTimeout: 0 }) },
});
// end
assert.equal(
  (await patient.chat.completions.create({ model: 'qwen', messages, max_tokens: 5 })).choices.length,
  1,
);
