import { fileURLToPath } from 'node:url';
import type { Engines } from './world.ts';

/** What runs a program, and has to be on the machine or is installed beside it. */
export type Runtime = 'node' | 'curl' | 'python' | 'go' | 'vllm';

/** A program that uses a client library, and fails when something is not as the library's users expect it. */
export interface Program {
  /** For the command line and messages. */
  name: string;
  runtime: Runtime;
  /** Below test/clients/programs; none for commands of others. */
  file?: string;
  engine: keyof Engines;
  /** It asks the model that sleeps and the one that is busy. */
  asksAll: boolean;
}

export const PROGRAMS_FOLDER = fileURLToPath(new URL('programs/', import.meta.url));

export const PROGRAMS: readonly Program[] = [
  chat('openai-node', 'node', 'typescript/openai-chat.ts'),
  embeddings('openai-node-embeddings', 'node', 'typescript/openai-embeddings.ts'),
  chat('anthropic-node', 'node', 'typescript/anthropic-messages.ts'),
];

function chat(name: string, runtime: Runtime, file: string): Program {
  return { name, runtime, file, engine: 'chat', asksAll: true };
}

function embeddings(name: string, runtime: Runtime, file: string): Program {
  return { name, runtime, file, engine: 'embed', asksAll: false };
}
