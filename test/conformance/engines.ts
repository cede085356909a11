import type { TinyModel } from '../../hack/vllm/tiny-models.ts';
import { CHAT_MODEL, type ConformanceRequest, EMBED_MODEL, RERANK_MODEL } from './request.ts';
import { chat, chatErrors } from './requests/chat.ts';
import { completions } from './requests/completions.ts';
import { embedder, reranker } from './requests/pooling.ts';
import { messages, responses } from './requests/responses.ts';
import { adapters, server, surface, tokens } from './requests/server.ts';

/** An engine of the suite: the model, the arguments behind it, and what it is asked. */
export interface EngineSuite {
  model: TinyModel;
  args: readonly string[];
  requests: readonly ConformanceRequest[];
}

export const ENGINES = {
  chat: {
    model: 'tiny-chat',
    args: [
      ...['--served-model-name', CHAT_MODEL],
      ...['--max-model-len', '2048', '--max-num-seqs', '8', '--dtype', 'float32', '--enforce-eager'],
      ...['--enable-lora', '--max-lora-rank', '8', '--max-loras', '2'],
      ...['--enable-auto-tool-choice', '--tool-call-parser', 'hermes', '--enable-prompt-tokens-details'],
      ...['--structured-outputs-config', '{"disable_any_whitespace": true, "backend": "xgrammar"}'],
    ],
    requests: [
      ...server,
      ...tokens,
      ...chat,
      ...chatErrors,
      ...completions,
      ...responses,
      ...messages,
      ...adapters,
      ...surface,
    ],
  },
  embed: {
    model: 'tiny-embed',
    args: ['--served-model-name', EMBED_MODEL, '--dtype', 'float32', '--enforce-eager'],
    requests: [...embedder, ...surface],
  },
  rerank: {
    model: 'tiny-rerank',
    args: ['--served-model-name', RERANK_MODEL, '--dtype', 'float32', '--enforce-eager'],
    requests: [...reranker, ...surface],
  },
} as const satisfies Record<string, EngineSuite>;

export type EngineName = keyof typeof ENGINES;

/** Environment of each: adapters at run time, and no connection to a hub. */
export const ENGINE_ENVIRONMENT: Readonly<Record<string, string>> = {
  VLLM_ALLOW_RUNTIME_LORA_UPDATING: '1',
};
