/** A load that can be planned; tests change parts of it. */
export const load = {
  model: 'hf://mistralai/Mistral-7B-Instruct-v0.3',
  requestsPerDay: 500_000,
  promptTokens: 100,
  outputTokens: 50,
};
