/** The library of Anthropic for JavaScript and TypeScript, on /v1/messages. */
import assert from 'node:assert/strict';
// snippet: client
import Anthropic from '@anthropic-ai/sdk';

// Without /v1, which this library adds. The key is sent as x-api-key.
const client = new Anthropic({
  baseURL: process.env.ANTHROPIC_BASE_URL,
  apiKey: process.env.ANTHROPIC_API_KEY,
});
// end

const messages = [{ role: 'user' as const, content: 'Say hello.' }];
const textOf = ({ content }: Anthropic.Message) =>
  content.map((block) => (block.type === 'text' ? block.text : '')).join('');
/** Tokens of the prompt: those that the engine found in its prefix cache are counted apart. */
const promptOf = ({ usage }: Anthropic.Message) => usage.input_tokens + (usage.cache_read_input_tokens ?? 0);

const whole = await client.messages.create({ model: 'qwen', max_tokens: 50, messages });
assert.deepEqual([whole.type, whole.role, whole.model], ['message', 'assistant', 'qwen']);
assert.ok(whole.usage.input_tokens > 0 && whole.usage.output_tokens > 0);

// snippet: stream
const stream = client.messages.stream({
  model: 'qwen',
  max_tokens: 50,
  messages: [{ role: 'user', content: 'Say hello.' }],
});
stream.on('text', (text) => process.stdout.write(text));
const message = await stream.finalMessage();
// end
assert.equal(typeof textOf(message), 'string');
assert.equal(promptOf(message), promptOf(whole));
assert.ok(message.usage.output_tokens > 0 && message.stop_reason);

const count = await client.messages.countTokens({ model: 'qwen', messages });
assert.equal(count.input_tokens, promptOf(whole));

const tools: Anthropic.Tool[] = [
  {
    name: 'get_weather',
    strict: true,
    input_schema: {
      type: 'object',
      properties: { city: { type: 'string', enum: ['Bonn', 'Oslo'] } },
      required: ['city'],
      additionalProperties: false,
    },
  },
];
const called = await client.messages.create({
  model: 'qwen',
  max_tokens: 200,
  messages,
  tools,
  tool_choice: { type: 'any' },
});
const use = called.content.find((block) => block.type === 'tool_use');
assert.equal(use?.name, 'get_weather');
assert.equal(called.stop_reason, 'tool_use');
const answer = await client.messages.create({
  model: 'qwen',
  max_tokens: 50,
  tools,
  tool_choice: { type: 'none' },
  messages: [
    ...messages,
    { role: 'assistant', content: called.content },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: use?.id ?? '', content: 'Sunny.' }] },
  ],
});
assert.equal(answer.type, 'message');

const runner = client.messages.stream({
  model: 'qwen',
  max_tokens: 200,
  messages,
  tools,
  tool_choice: { type: 'tool', name: 'get_weather' },
});
const [streamed] = (await runner.finalMessage()).content;
assert.ok(streamed?.type === 'tool_use' && (streamed.input as { city: string }).city);

await assert.rejects(
  client.messages.create({
    model: 'qwen',
    max_tokens: 5,
    messages,
    tools,
    tool_choice: { type: 'tool', name: 'nothing' },
  }),
  Anthropic.BadRequestError,
);

for await (const { id } of client.models.list()) assert.equal(typeof id, 'string');

const ask = (model: string, options: { maxRetries?: number } = {}) =>
  client.messages.create({ model, max_tokens: 5, messages }, options);
await assert.rejects(ask('qwen-suspended', { maxRetries: 0 }), (error) => {
  assert.ok(error instanceof Anthropic.InternalServerError);
  assert.deepEqual(
    [error.status, error.headers.get('retry-after'), error.type],
    [503, '30', 'overloaded_error'],
  );
  return true;
});
await assert.rejects(ask('nothing'), Anthropic.NotFoundError);
await assert.rejects(
  new Anthropic({ baseURL: process.env.ANTHROPIC_BASE_URL, apiKey: 'wrong' }).messages.create({
    model: 'qwen',
    max_tokens: 5,
    messages,
  }),
  Anthropic.AuthenticationError,
);
assert.equal((await ask('qwen-busy')).type, 'message');
assert.equal((await ask('qwen-asleep')).type, 'message');
