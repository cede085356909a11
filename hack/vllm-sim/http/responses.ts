/** POST /v1/responses, without its store. */
import type { SequenceEnd } from '../engine/sequence.ts';
import { ApiError, badSchema, shuttingDown } from './api-error.ts';
import type { Exchange } from './exchange.ts';
import { type Body, flag, integer, isRecord, required, text } from './fields.ts';
import { collect, failureOf, type GenerationRequest, generate, resolveModel } from './generation.ts';
import { lastText, renderChat } from './prompt.ts';
import { readSampling } from './sampling.ts';

export async function responses(exchange: Exchange): Promise<void> {
  const body = await exchange.readJson();
  const generation = readResponse(exchange, body);
  const base = responseBase(exchange, body, generation);
  if (flag(body, 'stream') === true) {
    streamResponse(exchange, generation, base);
    return;
  }
  const [choice] = await collect(exchange.sim, generation, (abort) => exchange.onDisconnect(abort));
  if (choice !== undefined) {
    const message = messageItem(exchange, [textPart(choice.text)], 'completed');
    exchange.json(200, finishedResponse(base, generation, message, choice.end));
  }
}

/** What a response says from its start to its end. */
function responseBase(exchange: Exchange, body: Body, generation: GenerationRequest): object {
  return {
    id: `resp_${exchange.id}`,
    object: 'response',
    created_at: Math.floor(Date.now() / 1000),
    model: generation.model.name,
    instructions: text(body, 'instructions') ?? null,
    metadata: null,
    parallel_tool_calls: true,
    temperature: generation.sampling.temperature,
    tool_choice: body.tool_choice ?? 'auto',
    tools: [],
    top_p: 1,
    background: false,
    max_output_tokens: generation.sampling.maxTokens,
    previous_response_id: null,
    service_tier: 'auto',
    truncation: 'disabled',
  };
}

function finishedResponse(
  base: object,
  { tokens }: GenerationRequest,
  message: object,
  end: SequenceEnd,
): object {
  return {
    ...base,
    status: end.reason === 'length' ? 'incomplete' : 'completed',
    incomplete_details: end.reason === 'length' ? { reason: 'max_output_tokens' } : null,
    output: [message],
    usage: {
      input_tokens: tokens.length,
      input_tokens_details: { cached_tokens: end.cachedTokens },
      output_tokens: end.outputTokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: tokens.length + end.outputTokens,
    },
  };
}

function messageItem(exchange: Exchange, content: readonly object[], status: string): object {
  return { id: `msg_${exchange.id}`, type: 'message', role: 'assistant', status, content };
}

function textPart(value: string): object {
  return { type: 'output_text', text: value, annotations: [], logprobs: null };
}

function streamResponse(exchange: Exchange, generation: GenerationRequest, base: object): void {
  const { sim } = exchange;
  const stream = exchange.stream();
  let sequence = 0;
  let whole = '';
  const at = { item_id: `msg_${exchange.id}`, output_index: 0, content_index: 0 };
  const event = (type: string, fields: object): void => {
    stream.send(JSON.stringify({ type, sequence_number: sequence, ...fields }), type);
    sequence += 1;
  };
  const started = { ...base, status: 'in_progress', output: [], usage: null };
  event('response.created', { response: started });
  event('response.in_progress', { response: started });
  event('response.output_item.added', { output_index: 0, item: messageItem(exchange, [], 'in_progress') });
  event('response.content_part.added', { ...at, part: textPart('') });
  const abort = generate(sim, generation, (_index, output) => {
    if (stream.closed) {
      abort();
      return;
    }
    if (output.end?.reason === 'error') {
      stream.fail(failureOf(sim).body());
      return;
    }
    whole += output.text;
    if (output.text !== '') {
      event('response.output_text.delta', { ...at, delta: output.text, logprobs: [] });
    }
    if (output.end !== undefined) {
      const message = messageItem(exchange, [textPart(whole)], 'completed');
      event('response.output_text.done', { ...at, text: whole, logprobs: [] });
      event('response.content_part.done', { ...at, part: textPart(whole) });
      event('response.output_item.done', { output_index: 0, item: message });
      event('response.completed', { response: finishedResponse(base, generation, message, output.end) });
      stream.end();
    }
  });
  exchange.onDisconnect(abort);
}

/** GET /v1/responses/{id} and its cancel: nothing is stored. */
export function responseNotFound(exchange: Exchange): void {
  const [, , , id = ''] = exchange.path.split('/');
  throw new ApiError(404, 'invalid_request_error', `Response with id '${id}' not found.`, 'response_id');
}

function readResponse(exchange: Exchange, body: Body): GenerationRequest {
  const { sim } = exchange;
  const messages = readInput(body);
  const model = resolveModel(sim, body);
  if (sim.status === 'draining') {
    throw shuttingDown();
  }
  const instructions = text(body, 'instructions');
  const system = instructions === undefined ? [] : [{ role: 'system', content: instructions }];
  const tokens = renderChat([...system, ...messages], body.tools);
  return {
    tokens,
    model,
    sampling: readSampling(body, {
      promptTokens: tokens.length,
      maxModelLen: sim.settings.maxModelLen,
      maxTokens: integer(body, 'max_output_tokens'),
      maxTokensName: 'max_output_tokens',
      priorityScheduling: sim.settings.priorityScheduling,
    }),
    ...(sim.settings.mode === 'echo' ? { answer: lastText(messages) } : {}),
  };
}

function readInput(body: Body): Body[] {
  const input = required(body, 'input');
  if (typeof input === 'string') {
    return [{ role: 'user', content: input }];
  }
  if (!Array.isArray(input)) {
    throw badSchema('string_type', ['input'], 'Input should be a valid string', input);
  }
  return input.map((item: unknown) => (isRecord(item) ? { ...item, role: item.role ?? 'user' } : {}));
}
