/** POST /v1/responses, without its store. */
import type { SequenceEnd } from '../engine/sequence.ts';
import { ApiError, badSchema, badValue, shuttingDown } from './api-error.ts';
import type { Exchange } from './exchange.ts';
import { type Body, flag, integer, isRecord, record, required, text } from './fields.ts';
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
    const message = messageItem(`msg_${exchange.id}`, [textPart(choice.text)], 'completed');
    exchange.json(200, finishedResponse(base, generation, message, choice.end, exchange.sim.settings.recent));
  }
}

/** The fields that a response has from its first event to its last. */
function responseBase(exchange: Exchange, body: Body, generation: GenerationRequest): object {
  return {
    id: `resp_${exchange.id}`,
    object: 'response',
    created_at: Math.floor(Date.now() / 1000),
    model: generation.model.name,
    instructions: text(body, 'instructions') ?? null,
    metadata: record(body, 'metadata') ?? null,
    parallel_tool_calls: true,
    temperature: generation.sampling.temperature,
    tool_choice: body.tool_choice ?? (Array.isArray(body.tools) ? 'auto' : 'none'),
    tools: [],
    top_p: 1,
    background: false,
    max_output_tokens: generation.sampling.maxTokens,
    previous_response_id: null,
    service_tier: 'auto',
    truncation: 'disabled',
    max_tool_calls: null,
    prompt: null,
    reasoning: null,
    text: null,
    top_logprobs: null,
    user: null,
    presence_penalty: 0,
    frequency_penalty: 0,
    incomplete_details: null,
    kv_transfer_params: null,
    ec_transfer_params: null,
    input_messages: null,
    output_messages: null,
  };
}

function finishedResponse(
  base: object,
  { tokens }: GenerationRequest,
  message: object,
  end: SequenceEnd,
  recent: boolean,
): object {
  return {
    ...base,
    status: end.reason === 'length' ? 'incomplete' : 'completed',
    incomplete_details: end.reason === 'length' ? { reason: 'max_output_tokens' } : null,
    output: [message],
    usage: {
      input_tokens: tokens.length,
      input_tokens_details: {
        cached_tokens: end.cachedTokens,
        ...(recent && { cache_write_tokens: 0 }),
        input_tokens_per_turn: [],
        cached_tokens_per_turn: [],
      },
      output_tokens: end.outputTokens,
      output_tokens_details: {
        reasoning_tokens: 0,
        tool_output_tokens: 0,
        output_tokens_per_turn: [],
        tool_output_tokens_per_turn: [],
      },
      total_tokens: tokens.length + end.outputTokens,
    },
  };
}

function messageItem(id: string, content: readonly object[], status: string): object {
  return { id, type: 'message', role: 'assistant', status, content, phase: null };
}

function textPart(value: string): object {
  return { type: 'output_text', text: value, annotations: [], logprobs: null };
}

function streamResponse(exchange: Exchange, generation: GenerationRequest, base: object): void {
  const { sim } = exchange;
  const stream = exchange.stream();
  let sequence = 0;
  let whole = '';
  const { recent } = sim.settings;
  // Events of 0.28 name the message by a number of their own.
  const item = recent ? `msg_${exchange.id}` : exchange.id;
  const at = { item_id: item, output_index: 0, content_index: 0 };
  const event = (type: string, fields: object): void => {
    stream.send(JSON.stringify({ type, sequence_number: sequence, ...fields }), type);
    sequence += 1;
  };
  const started = { ...base, status: 'in_progress', output: [], usage: null };
  event('response.created', { response: started });
  event('response.in_progress', { response: started });
  event('response.output_item.added', { output_index: 0, item: messageItem(item, [], 'in_progress') });
  event('response.content_part.added', { ...at, part: { ...textPart(''), logprobs: [] } });
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
      const message = messageItem(`msg_${exchange.id}`, [textPart(whole)], 'completed');
      const done = messageItem(item, [textPart(whole)], 'completed');
      event('response.output_text.done', { ...at, text: whole, logprobs: [] });
      event('response.content_part.done', { ...at, part: textPart(whole) });
      event('response.output_item.done', {
        output_index: 0,
        item: recent ? done : { ...done, summary: [] },
      });
      event('response.completed', {
        response: finishedResponse(base, generation, message, output.end, recent),
      });
      stream.end();
    }
  });
  exchange.onDisconnect(abort);
}

/** GET /v1/responses/{id} and its cancel: nothing is stored. */
export function responseNotFound(exchange: Exchange): void {
  const [, , , id = ''] = exchange.path.split('/');
  throw unknownResponse(id);
}

function unknownResponse(id: string): ApiError {
  return new ApiError(404, 'invalid_request_error', `Response with id '${id}' not found.`, 'response_id');
}

function readResponse(exchange: Exchange, body: Body): GenerationRequest {
  const { sim } = exchange;
  const messages = readInput(body);
  if (flag(body, 'background') === true && flag(body, 'store') === false) {
    throw badValue('background can only be used when `store` is true', 'background');
  }
  const model = resolveModel(sim, body);
  const previous = text(body, 'previous_response_id');
  if (previous !== undefined) {
    throw unknownResponse(previous);
  }
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
      recent: sim.settings.recent,
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
