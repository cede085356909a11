/** POST /v1/messages: Anthropic's protocol over the same engine. */
import type { SequenceEnd } from '../engine/sequence.ts';
import { ApiError, badSchema, badValue, shuttingDown } from './api-error.ts';
import type { Exchange } from './exchange.ts';
import { type Body, flag, integer, isRecord, required, texts } from './fields.ts';
import { collect, failureOf, type GenerationRequest, generate, resolveModel } from './generation.ts';
import { lastText, readMessages, renderChat } from './prompt.ts';
import { readSampling } from './sampling.ts';
import { planToolCall, type ToolCall } from './tool-call.ts';

export async function messages(exchange: Exchange): Promise<void> {
  try {
    await answer(exchange);
  } catch (cause) {
    sendError(exchange, cause);
  }
}

export async function countTokens(exchange: Exchange): Promise<void> {
  try {
    const body = await exchange.readJson();
    resolveModel(exchange.sim, body);
    exchange.json(200, {
      input_tokens: render(body).tokens.length,
      context_management: { original_input_tokens: render(body).tokens.length },
    });
  } catch (cause) {
    sendError(exchange, cause);
  }
}

function sendError(exchange: Exchange, cause: unknown): void {
  // FastAPI checks the body's fields first, and reports faults in its own format.
  if (!(cause instanceof ApiError) || cause.type === 'Bad Request') {
    throw cause;
  }
  exchange.json(cause.status, {
    type: 'error',
    error: { type: cause.type, message: cause.message },
  });
}

async function answer(exchange: Exchange): Promise<void> {
  const { sim } = exchange;
  const body = await exchange.readJson();
  const { generation, tool } = readRequest(exchange, body);
  const id = `chatcmpl-${exchange.id}`;
  const input = generation.tokens.length;
  const toolUse = { type: 'tool_use', id: `chatcmpl-tool-${exchange.id}`, name: tool?.name };
  const envelope = { id, type: 'message', role: 'assistant', model: generation.model.name };
  if (flag(body, 'stream') !== true) {
    const [choice] = await collect(sim, generation, (abort) => exchange.onDisconnect(abort));
    if (choice !== undefined) {
      exchange.json(200, {
        ...envelope,
        content: [
          tool === undefined
            ? { type: 'text', text: choice.text }
            : choice.end.reason === 'length'
              ? { type: 'text', text: '' } // a call that is cut is none
              : { ...toolUse, input: JSON.parse(choice.text) as unknown },
        ],
        ...stopOf(choice.end, tool, false),
        usage: usageOf(input, choice.end),
      });
    }
    return;
  }
  const stream = exchange.stream();
  const event = (type: string, fields: object): void =>
    stream.send(JSON.stringify({ type, ...fields }), type);
  let started = false;
  const abort = generate(sim, generation, (_index, { text: piece, end }) => {
    if (stream.closed) {
      abort();
      return;
    }
    if (end?.reason === 'error') {
      const failure = failureOf(sim);
      event('error', { error: { type: failure.type, message: failure.message } });
      stream.end();
      return;
    }
    if (!started) {
      started = true;
      const usage = { input_tokens: input, output_tokens: 0 };
      event('message_start', {
        message: { ...envelope, content: [], stop_reason: null, stop_sequence: null, usage },
      });
      const block = tool === undefined ? { type: 'text', text: '' } : { ...toolUse, input: {} };
      event('content_block_start', { index: 0, content_block: block });
    }
    if (piece !== '') {
      const text = { type: 'text_delta', text: piece };
      const json = { type: 'input_json_delta', partial_json: piece };
      event('content_block_delta', { index: 0, delta: tool === undefined ? text : json });
    }
    if (end !== undefined) {
      event('content_block_stop', { index: 0 });
      event('message_delta', {
        delta: stopOf(end, tool, sim.settings.recent),
        usage: usageOf(input, end),
      });
      event('message_stop', {});
      stream.end();
    }
  });
  exchange.onDisconnect(abort);
}

function usageOf(input: number, end: SequenceEnd): object {
  return {
    input_tokens: input,
    output_tokens: end.outputTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: end.cachedTokens,
  };
}

/** @param whole also a stop sequence that is null: streams have it from 0.32 on */
function stopOf(end: SequenceEnd, tool: ToolCall | undefined, whole: boolean): object {
  const { stop_reason, stop_sequence } = stopFields(end, tool);
  return whole || stop_sequence !== null ? { stop_reason, stop_sequence } : { stop_reason };
}

function stopFields(
  end: SequenceEnd,
  tool: ToolCall | undefined,
): { stop_reason: string; stop_sequence: string | null } {
  if (tool !== undefined && end.reason === 'stop') return { stop_reason: 'tool_use', stop_sequence: null };
  const reason =
    end.reason === 'length' ? 'max_tokens' : end.stopReason === null ? 'end_turn' : 'stop_sequence';
  return { stop_reason: reason, stop_sequence: end.stopReason };
}

function readRequest(
  exchange: Exchange,
  body: Body,
): { generation: GenerationRequest; tool: ToolCall | undefined } {
  const { sim } = exchange;
  const { tokens, turns } = render(body);
  const model = resolveModel(sim, body);
  required(body, 'max_tokens');
  if ((integer(body, 'max_tokens') ?? 0) < 1) {
    throw badSchema(
      'value_error',
      ['max_tokens'],
      'Value error, max_tokens must be positive',
      body.max_tokens,
    );
  }
  if (sim.status === 'draining') {
    throw shuttingDown();
  }
  const sampling = readSampling(body, {
    promptTokens: tokens.length,
    maxModelLen: sim.settings.maxModelLen,
    maxTokens: integer(body, 'max_tokens'),
    maxTokensName: 'max_tokens',
    priorityScheduling: sim.settings.priorityScheduling,
    recent: sim.settings.recent,
  });
  const tool = toolCallOf(body, turns, sim.settings.autoToolChoice);
  const answer = tool?.arguments ?? (sim.settings.mode === 'echo' ? lastText(turns) : undefined);
  return {
    generation: {
      tokens,
      model,
      sampling: { ...sampling, n: 1, stop: texts(body, 'stop_sequences') },
      ...(answer === undefined ? {} : { answer }),
    },
    tool,
  };
}

/** Tool choices of this protocol and those of the chat API that they mean. */
const CHOICES: Readonly<Record<string, string>> = { auto: 'auto', any: 'required', none: 'none' };

/** Decides on a tool call as for a chat, into which vLLM turns a message. Throws ApiError. */
function toolCallOf(body: Body, turns: readonly Body[], autoToolChoice: boolean): ToolCall | undefined {
  const { tools, tool_choice: choice } = body;
  if (!Array.isArray(tools) || tools.length === 0) return undefined;
  const functions = tools.map((tool: unknown) => ({
    type: 'function',
    function: isRecord(tool) ? { name: tool.name, parameters: tool.input_schema } : tool,
  }));
  const named = isRecord(choice) && choice.type === 'tool';
  if (named && !tools.some((tool: unknown) => isRecord(tool) && tool.name === choice.name)) {
    throw badValue(`The tool with name '${String(choice.name)}' is not found in the tools list.`, null);
  }
  const chosen = named
    ? { function: { name: choice.name } }
    : isRecord(choice) && CHOICES[String(choice.type)];
  const chat: Body = { tools: functions, ...(chosen ? { tool_choice: chosen } : {}) };
  const last = turns.at(-1);
  const answered =
    Array.isArray(last?.content) &&
    last.content.some((block: unknown) => isRecord(block) && block.type === 'tool_result');
  return planToolCall(chat, answered ? [{ role: 'tool' }] : turns, autoToolChoice);
}

function render(body: Body): { tokens: number[]; turns: Body[] } {
  const turns = readMessages(body);
  for (const [i, { role }] of turns.entries()) {
    if (role !== 'user' && role !== 'assistant' && role !== 'system') {
      throw badSchema(
        'literal_error',
        ['messages', i, 'role'],
        "Input should be 'user' or 'assistant'",
        role,
      );
    }
  }
  const system = body.system === undefined ? [] : [{ role: 'system', content: body.system }];
  return { tokens: renderChat([...system, ...turns], body.tools), turns };
}
