/** POST /v1/chat/completions. */
import type { SequenceOutput } from '../engine/sequence.ts';
import { END_OF_TEXT } from '../engine/token-source.ts';
import type { SimSettings } from '../settings.ts';
import { badFields, badValue, shuttingDown } from './api-error.ts';
import type { Exchange } from './exchange.ts';
import { type Body, flag, integer, isRecord, text } from './fields.ts';
import {
  type Choice,
  collect,
  failureOf,
  type GenerationRequest,
  generate,
  resolveModel,
} from './generation.ts';
import { chatLogprobs } from './logprobs.ts';
import { lastText, readMessages, renderChat } from './prompt.ts';
import { checkFields, checkLogprobs, readSampling, readStreamOptions } from './sampling.ts';
import { structuredAnswer } from './structured.ts';
import { planToolCall, type ToolCall } from './tool-call.ts';
import { chunkUsage, finalUsage, usageOf } from './usage.ts';

interface ChatRequest {
  generation: GenerationRequest;
  tool: ToolCall | undefined;
  /** Alternatives per token; undefined for no log probabilities. */
  logprobs: number | undefined;
  usage: { final: boolean; continuous: boolean };
  /** Of the answer: the last message's, where it is continued. */
  role: string;
  withIds: boolean;
  promptLogprobs: boolean;
  id: string;
  created: number;
}

export async function chatCompletions(exchange: Exchange): Promise<void> {
  const body = await exchange.readJson();
  const chat = readChat(exchange, body);
  if (flag(body, 'stream') === true) {
    streamChat(exchange, chat);
    return;
  }
  const choices = await collect(exchange.sim, chat.generation, (abort) => exchange.onDisconnect(abort));
  const completion = choices.reduce((sum, { end }) => sum + end.outputTokens, 0);
  const cached = choices[0]?.end.cachedTokens ?? 0;
  exchange.json(200, {
    id: chat.id,
    object: 'chat.completion',
    created: chat.created,
    model: chat.generation.model.name,
    choices: choices.map((choice, index) => fullChoice(chat, choice, index)),
    service_tier: null,
    system_fingerprint: exchange.sim.fingerprint,
    usage: usageOf(exchange.sim, chat.generation.tokens.length, completion, cached, 0),
    prompt_logprobs: chat.promptLogprobs ? chat.generation.tokens.map(() => null) : null,
    prompt_token_ids: chat.withIds ? chat.generation.tokens : null,
    prompt_text: null,
    kv_transfer_params: null,
    ec_transfer_params: null,
    metrics: null,
  });
}

/** Checks a chat request and renders it. Throws ApiError. */
export function readChat(exchange: Exchange, body: Body): ChatRequest {
  const { sim } = exchange;
  const messages = readMessages(body);
  const { recent } = sim.settings;
  const usage = readStreamOptions(body, sim.settings.forceUsage);
  checkFields(body, recent);
  checkChat(body);
  checkParts(messages, sim.settings);
  const top = integer(body, 'top_logprobs') ?? 0;
  const wantsLogprobs = flag(body, 'logprobs') === true;
  checkLogprobs(wantsLogprobs ? top : undefined);
  const tool = planToolCall(body, messages, sim.settings.autoToolChoice);
  const model = resolveModel(sim, body);
  if (sim.status === 'draining') {
    throw shuttingDown();
  }
  const tokens = renderChat(messages, body.tools);
  const completionLimit = integer(body, 'max_completion_tokens');
  const sampling = readSampling(body, {
    promptTokens: tokens.length,
    maxModelLen: sim.settings.maxModelLen,
    maxTokens: completionLimit ?? integer(body, 'max_tokens'),
    maxTokensName: completionLimit === undefined ? 'max_tokens' : 'max_completion_tokens',
    priorityScheduling: sim.settings.priorityScheduling,
    recent,
  });
  const answer =
    tool?.arguments ??
    structuredAnswer(body) ??
    (sim.settings.mode === 'echo' ? lastText(messages) : undefined);
  const cacheSalt = text(body, 'cache_salt');
  return {
    generation: {
      tokens,
      sampling,
      model,
      ...(cacheSalt === undefined ? {} : { cacheSalt }),
      ...(answer === undefined ? {} : { answer }),
    },
    tool,
    logprobs: wantsLogprobs ? top : undefined,
    usage,
    role: flag(body, 'add_generation_prompt') === false ? String(messages.at(-1)?.role) : 'assistant',
    withIds: flag(body, 'return_token_ids') === true,
    promptLogprobs: integer(body, 'prompt_logprobs') !== undefined || flag(body, 'echo') === true,
    id: `chatcmpl-${exchange.id}`,
    created: Math.floor(Date.now() / 1000),
  };
}

/** Checks that vLLM makes only for chats. Throws ApiError 400. */
function checkChat(body: Body): void {
  const top = integer(body, 'top_logprobs');
  if (top !== undefined && top < -1) {
    throw badValue('`top_logprobs` must be a positive value or -1.', 'top_logprobs', top);
  }
  if (top !== undefined && top !== 0 && flag(body, 'logprobs') !== true) {
    throw badFields('when using `top_logprobs`, `logprobs` must be set to true.', 'top_logprobs');
  }
  if (flag(body, 'continue_final_message') === true && flag(body, 'add_generation_prompt') === true) {
    throw badValue('Cannot set both `continue_final_message` and `add_generation_prompt` to True.', null);
  }
  if (text(body, 'chat_template') !== undefined) {
    throw badValue(
      'Chat template is passed with request, but --trust-request-chat-template is not set. Refused request with ' +
        'untrusted chat template.',
      null,
    );
  }
}

const PARTS = ['text', 'input_text', 'refusal', 'thinking'];
const MEDIA = ['image_url', 'input_audio', 'audio_url', 'video_url', 'image_embeds', 'file'];

/** Parts of messages other than texts: only a multimodal model accepts them. Throws ApiError 400. */
function checkParts(messages: readonly Body[], { multimodal, servedNames }: SimSettings): void {
  const parts = messages.flatMap(({ content }): unknown[] => (Array.isArray(content) ? content : []));
  for (const part of parts) {
    const type = isRecord(part) && part.type !== undefined ? String(part.type) : 'text';
    if (MEDIA.includes(type) && !multimodal) {
      throw badValue(`${servedNames[0]} is not a multimodal model`, null);
    }
    if (!MEDIA.includes(type) && !PARTS.includes(type)) {
      throw badValue(
        `1 validation error for ValidatorIterator\n0.ChatCompletionContentPartTextParam.type\n  Input should be 'text' [type=literal_error, input_value='${type}', input_type=str]`,
        null,
      );
    }
  }
}

function fullChoice(chat: ChatRequest, choice: Choice, index: number): object {
  const { tool } = chat;
  const ids = choice.ids.filter((id) => id !== END_OF_TEXT);
  const message = {
    role: chat.role,
    content: tool === undefined ? choice.text : tool.auto ? null : '',
    refusal: null,
    annotations: null,
    audio: null,
    function_call: null,
    ...(tool === undefined
      ? {}
      : {
          tool_calls: [
            {
              id: toolCallId(chat, index),
              type: 'function',
              function: { name: tool.name, arguments: choice.text },
            },
          ],
        }),
    reasoning: null,
  };
  return {
    index,
    message,
    logprobs: chat.logprobs === undefined ? null : chatLogprobs(ids, chat.logprobs),
    finish_reason: finishReason(chat, choice.end.reason),
    stop_reason: choice.end.stopReason,
    token_ids: chat.withIds ? choice.ids : null,
    routed_experts: null,
  };
}

function finishReason(chat: ChatRequest, reason: string): string {
  return chat.tool !== undefined && !chat.tool.named && reason === 'stop' ? 'tool_calls' : reason;
}

function toolCallId(chat: ChatRequest, index: number): string {
  return `chatcmpl-tool-${chat.id.slice('chatcmpl-'.length)}${index === 0 ? '' : `-${index}`}`;
}

/** The choice with which the call of a tool begins. */
function firstCall(chat: ChatRequest, { name }: ToolCall, index: number): string {
  const call = { id: toolCallId(chat, index), type: 'function', index: 0, function: { name } };
  return `{"index":${index},"delta":{"content":null,"tool_calls":[${JSON.stringify(call)}]},"logprobs":null,"finish_reason":null,"token_ids":null}`;
}

function streamChat(exchange: Exchange, chat: ChatRequest): void {
  const { sim } = exchange;
  const prompt = chat.generation.tokens.length;
  const head =
    `{"id":${JSON.stringify(chat.id)},"object":"chat.completion.chunk","created":${chat.created},` +
    `"model":${JSON.stringify(chat.generation.model.name)},"choices":[`;
  const counts = Array.from({ length: chat.generation.sampling.n }, () => 0);
  let left = counts.length;
  let started = false;
  let cached = 0;
  const fingerprint = `,"system_fingerprint":"${sim.fingerprint}"`;
  const stream = exchange.stream();
  const chunk = (choice: string, completion: number, tail = ''): void => {
    const usage = chat.usage.continuous ? `,"usage":${JSON.stringify(chunkUsage(prompt, completion))}` : '';
    stream.send(`${head}${choice}]${usage}${tail}}`);
  };
  const begin = (): void => {
    started = true;
    for (const index of counts.keys()) {
      chunk(
        `{"index":${index},"delta":{"role":${JSON.stringify(chat.role)},"content":""},"logprobs":null,"finish_reason":null}`,
        0,
        ',"prompt_token_ids":null,"prompt_text":null',
      );
      if (chat.tool !== undefined) {
        chunk(firstCall(chat, chat.tool, index), 0);
      }
    }
  };
  const abort = generate(sim, chat.generation, (index, output) => {
    if (stream.closed) {
      abort();
      return;
    }
    if (output.end?.reason === 'error') {
      stream.fail(failureOf(sim).body());
      return;
    }
    if (!started) {
      begin();
    }
    counts[index] = (counts[index] ?? 0) + (output.id === undefined ? 0 : 1);
    left -= output.end === undefined ? 0 : 1;
    const last = left === 0 && !chat.usage.final;
    chunk(streamChoice(chat, index, output), counts[index], last ? fingerprint : '');
    if (output.end === undefined) {
      return;
    }
    cached = output.end.cachedTokens;
    if (left === 0) {
      const completion = counts.reduce((sum, count) => sum + count, 0);
      if (chat.usage.final) {
        const usage = finalUsage(sim, prompt, completion, { cached_tokens: cached, created_cache_tokens: 0 });
        stream.send(`${head}],"usage":${JSON.stringify(usage)}${fingerprint}}`);
      }
      stream.end('[DONE]');
    }
  });
  exchange.onDisconnect(abort);
}

function streamChoice(chat: ChatRequest, index: number, { id, text: piece, end }: SequenceOutput): string {
  const content = JSON.stringify(piece);
  const delta =
    piece === '' && end !== undefined
      ? '{}'
      : chat.tool === undefined
        ? `{"content":${content}}`
        : `{"content":null,"tool_calls":[{"index":0,"function":{"arguments":${content}}}]}`;
  const logprobs =
    chat.logprobs === undefined || id === undefined || id === END_OF_TEXT
      ? 'null'
      : JSON.stringify(chatLogprobs([id], chat.logprobs));
  const finish =
    end === undefined
      ? '"finish_reason":null'
      : `"finish_reason":"${finishReason(chat, end.reason)}","stop_reason":${JSON.stringify(end.stopReason)}`;
  return `{"index":${index},"delta":${delta},"logprobs":${logprobs},${finish},"token_ids":null}`;
}
