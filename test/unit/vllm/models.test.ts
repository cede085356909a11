/** The catalog against arithmetic: parameters of a dense model follow from its config.json. */
import { expect, it } from 'vitest';
import { findModel } from '../../../operator/vllm/models.ts';

// Hidden and intermediate size and tied embeddings from the config.json of each.
it.each([
  ['meta-llama/Llama-2-7b-chat-hf', 4096, 11008, 4096],
  ['meta-llama/Llama-2-13b-hf', 5120, 13824, 4096],
  ['meta-llama/Llama-2-70b-chat-hf', 8192, 28672, 4096],
  ['meta-llama/Meta-Llama-3-8B-Instruct', 4096, 14336, 8192],
  ['meta-llama/Meta-Llama-3-70B-Instruct', 8192, 28672, 8192],
  ['meta-llama/Llama-3.1-8B-Instruct', 4096, 14336, 131072],
  ['meta-llama/Llama-3.3-70B-Instruct', 8192, 28672, 131072],
  ['mistralai/Mistral-7B-Instruct-v0.3', 4096, 14336, 32768],
  ['codellama/CodeLlama-7b-Instruct-hf', 4096, 11008, 16384],
  ['codellama/CodeLlama-13b-Instruct-hf', 5120, 13824, 16384],
  ['Qwen/Qwen-72B-Chat', 8192, 24576, 32768],
  ['Qwen/Qwen2.5-72B-Instruct', 8192, 29568, 32768],
  ['Qwen/Qwen2.5-7B-Instruct', 3584, 18944, 32768],
  ['Qwen/Qwen3-32B', 5120, 25600, 40960],
  ['Qwen/Qwen3-14B', 5120, 17408, 40960],
  ['Qwen/Qwen2.5-14B-Instruct', 5120, 13824, 32768],
  ['Qwen/Qwen2.5-32B-Instruct', 5120, 27648, 32768],
  ['deepseek-ai/DeepSeek-R1-Distill-Qwen-14B', 5120, 13824, 131072],
  ['meta-llama/Llama-3.1-405B-Instruct', 16384, 53248, 131072],
  ['microsoft/phi-4', 5120, 17920, 16384],
])('%s has the parameters of its layers', (id, hidden, intermediate, context) => {
  const model = findModel(`hf://${id}`);
  if (model === undefined) throw new Error('not in the catalog');
  const { layers, attentionHeads, kvHeads, headDim, vocabulary = 0, maxPositionEmbeddings } = model;
  const attention = 2 * hidden * headDim * (attentionHeads + kvHeads);
  const parameters = layers * (attention + 3 * hidden * intermediate) + 2 * vocabulary * hidden;
  expect(Math.abs(parameters / 1e9 / model.parametersBillions - 1)).toBeLessThan(0.005);
  expect(maxPositionEmbeddings).toBe(context);
});

it('knows the latent cache and the experts of DeepSeek-V3', () => {
  expect(findModel('hf://deepseek-ai/DeepSeek-V3')).toMatchObject({
    layers: 61,
    latent: { kvLoraRank: 512, qkRopeHeadDim: 64 },
    experts: { count: 256, perToken: 8 },
    format: 'fp8',
  });
});

// Hidden size and inner size of an expert from the config.json of each.
it.each([
  ['MiniMaxAI/MiniMax-M2.5', 3072, 1536],
  ['Qwen/Qwen3-235B-A22B', 4096, 1536],
  ['Qwen/Qwen3-30B-A3B', 2048, 768],
  ['mistralai/Mixtral-8x22B-Instruct-v0.1', 6144, 16384],
])('%s has the parameters of its layers and experts, and uses those of some', (id, hidden, inner) => {
  const model = findModel(`hf://${id}`);
  if (model?.experts === undefined) throw new Error('not in the catalog, or without experts');
  const { layers, attentionHeads, kvHeads, headDim, vocabulary = 0, experts } = model;
  const attention = 2 * hidden * headDim * (attentionHeads + kvHeads);
  const others = layers * (attention + hidden * experts.count) + 2 * vocabulary * hidden;
  const billions = (count: number) => (others + layers * count * 3 * hidden * inner) / 1e9;
  expect(Math.abs(billions(experts.count) / model.parametersBillions - 1)).toBeLessThan(0.005);
  expect(Math.abs(billions(experts.perToken) / experts.activeBillions - 1)).toBeLessThan(0.03);
  expect(model.hidden ?? attentionHeads * headDim).toBe(hidden);
});
