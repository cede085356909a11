/** Embeddings with the library of OpenAI for JavaScript and TypeScript. */
import assert from 'node:assert/strict';
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: process.env.OPENAI_BASE_URL, apiKey: process.env.OPENAI_API_KEY });

// snippet: embeddings
const { data } = await client.embeddings.create({ model: 'bge-m3', input: ['first text', 'second text'] });
console.log(data.map(({ embedding }) => embedding.length));
// end
assert.equal(data.length, 2);
// The library asks for base64 and decodes it. An embedding is a unit vector.
for (const { embedding } of data) {
  const length = Math.hypot(...embedding);
  assert.ok(Math.abs(length - 1) < 0.01, `length ${length}`);
}
const plain = await client.embeddings.create({
  model: 'bge-m3',
  input: 'first text',
  encoding_format: 'float',
});
assert.ok(Math.abs((plain.data[0]?.embedding[0] ?? 0) - (data[0]?.embedding[0] ?? 1)) < 0.001);
await assert.rejects(client.embeddings.create({ model: 'nothing', input: 'x' }), OpenAI.NotFoundError);
