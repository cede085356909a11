import { fileURLToPath } from 'node:url';
import type { Engines } from './world.ts';

/** What runs a program. */
export type Runtime = 'node' | 'curl' | 'python' | 'go';

/** A program that uses a client library, and fails when something is not as the library's users expect it. */
export interface Program {
  /** For the command line and messages. */
  name: string;
  runtime: Runtime;
  /** Below test/clients/programs. */
  file: string;
  engine: keyof Engines;
  /** It asks the model that sleeps and the one that is busy. */
  asksAll: boolean;
}

export const PROGRAMS_FOLDER = fileURLToPath(new URL('programs/', import.meta.url));

export const PROGRAMS: readonly Program[] = [
  chat('openai-node', 'node', 'typescript/openai-chat.ts'),
  chat('anthropic-node', 'node', 'typescript/anthropic-messages.ts'),
  chat('openai-python', 'python', 'python/openai_chat.py'),
  chat('anthropic-python', 'python', 'python/anthropic_messages.py'),
  chat('langchain', 'python', 'python/langchain_chat.py'),
  chat('litellm', 'python', 'python/litellm_chat.py'),
  chat('openai-go', 'go', 'go/chat/main.go'),
  chat('curl', 'curl', 'curl/chat.sh'),
  embeddings('openai-node-embeddings', 'node', 'typescript/openai-embeddings.ts'),
  embeddings('openai-python-embeddings', 'python', 'python/openai_embeddings.py'),
  embeddings('langchain-embeddings', 'python', 'python/langchain_embeddings.py'),
  embeddings('openai-go-embeddings', 'go', 'go/embeddings/main.go'),
  embeddings('curl-embeddings', 'curl', 'curl/embeddings.sh'),
];

function chat(name: string, runtime: Runtime, file: string): Program {
  return { name, runtime, file, engine: 'chat', asksAll: true };
}

function embeddings(name: string, runtime: Runtime, file: string): Program {
  return { name, runtime, file, engine: 'embed', asksAll: false };
}
