/** Prompts of a user for the load generator: a text with a prompt in each line, or JSON lines. */
import { z } from 'zod';
import type { Prompt } from '../bench/workload.ts';
import { printable } from '../values/printable.ts';
import { readText } from './read-text.ts';

const MAX_PROMPTS = 100_000;

const line = z.union([
  z.object({ prompt: z.string().min(1), max_tokens: z.int().min(1).optional() }),
  z.object({
    messages: z
      .array(z.object({ role: z.enum(['system', 'user', 'assistant']), content: z.string() }))
      .min(1),
    max_tokens: z.int().min(1).optional(),
  }),
]);

/**
 * Reads prompts (`-` is standard input). A file whose first character is `{` has an object in each line, with `prompt` or
 * `messages` and perhaps `max_tokens`. Throws RangeError with file, line and reason.
 */
export function readPrompts(file: string): Prompt[] {
  const lines = textOf(file).split(/\r?\n/);
  const isJson = lines.find((text) => text.trim() !== '')?.startsWith('{') ?? false;
  const prompts = lines.flatMap((text, at) => {
    if (text.trim() === '') return [];
    return isJson ? [promptOf(text, `${file}:${at + 1}`)] : [promptFrom(text)];
  });
  if (prompts.length === 0) throw new RangeError(`${file}: it has no prompts; write one in each line`);
  if (prompts.length > MAX_PROMPTS)
    throw new RangeError(`${file}: it has more than ${MAX_PROMPTS} prompts; pass a part of it`);
  return prompts;
}

function textOf(file: string): string {
  try {
    return readText(file);
  } catch (error) {
    throw new RangeError(
      `${file}: cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function promptFrom(content: string): Prompt {
  return { messages: [{ role: 'user', content }] };
}

/** The content of the line is not part of the message: a prompt may be confidential. */
function promptOf(text: string, where: string): Prompt {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new RangeError(`${where}: not JSON; write an object with "prompt" or "messages" in each line`);
  }
  const parsed = line.safeParse(value);
  if (!parsed.success)
    throw new RangeError(
      `${printable(where)}: neither a "prompt" with text nor "messages" with role and content; correct the line`,
    );
  const { max_tokens: outputTokens, ...content } = parsed.data;
  return {
    ...('prompt' in content ? promptFrom(content.prompt) : { messages: content.messages }),
    ...(outputTokens !== undefined && { outputTokens }),
  };
}
