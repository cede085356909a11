/** Reads an answer as it comes: events of a stream, or one JSON object from servers that do not stream. */

/** Tokens of a request, as the server counted them. */
export interface Usage {
  promptTokens: number;
  outputTokens: number;
}

/** Longest event and longest answer without a stream. */
const MAX_BYTES = 1_048_576;

/** Failure after which the rest of the answer is not read. */
export const TOO_LONG = 'answer-too-long';

const TEXT = /"(?:content|text|reasoning|reasoning_content)": ?"[^"]/;
const USAGE = /"usage": ?\{/;
const ABORTED = /"finish_reason": ?"abort"/;
const FINISHED = /"finish_reason": ?"/;

/** Reads the events of one answer. Events are only parsed where a regular expression cannot tell enough, because it is costly. */
export class AnswerReader {
  usage: Usage | undefined;
  /** Kind of a failure that the answer reported. */
  failure: string | undefined;
  /** Whether it has come to its end. */
  finished = false;
  /** Text so far, if it is collected. */
  text = '';
  readonly #streams: boolean;
  readonly #collects: boolean;
  readonly #onText: () => void;
  /** The unfinished line, as Latin-1: faster than UTF-8, and no part of a character looks like a line break. */
  #parts: string[] = [];
  #size = 0;

  constructor({
    streams,
    collects,
    onText,
  }: {
    streams: boolean;
    collects: boolean;
    /** Called for each event with text. */
    onText: () => void;
  }) {
    this.#streams = streams;
    this.#collects = collects;
    this.#onText = onText;
  }

  read(chunk: Buffer): void {
    const read = chunk.toString('latin1');
    // Lines are put together once, however small the parts are in which they come.
    if (!this.#streams || !read.includes('\n')) {
      this.#keep(read);
      return;
    }
    const text = this.#parts.join('') + read;
    let begin = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', begin)) {
      if (text.startsWith('data:', begin)) this.#event(text.slice(begin + 5, end).trim());
      begin = end + 1;
    }
    this.#parts = [];
    this.#size = 0;
    this.#keep(text.slice(begin));
  }

  #keep(text: string): void {
    this.#size += text.length;
    if (this.#size > MAX_BYTES) this.failure = TOO_LONG;
    else this.#parts.push(text);
  }

  /** The answer has come to its end. */
  end(): void {
    if (this.#streams) {
      const rest = this.#parts.join('');
      // The last line of some servers has no end.
      if (rest.startsWith('data:')) this.#event(rest.slice(5).trim());
      if (!this.finished) this.failure ??= 'cut';
      return;
    }
    const answer = parse(this.#parts.join(''));
    this.#take(answer);
    if (answer === undefined) this.failure ??= 'no-json';
    this.finished = true;
  }

  #event(data: string): void {
    if (data === '[DONE]') {
      this.finished = true;
      return;
    }
    if (FINISHED.test(data)) {
      this.finished = true;
      if (ABORTED.test(data)) this.failure ??= 'aborted-by-engine';
    }
    const hasText = TEXT.test(data);
    if (USAGE.test(data) || (hasText && this.#collects) || (!hasText && data.includes('"error"')))
      this.#take(parse(data));
    if (hasText) this.#onText();
  }

  #take(answer: Answer | undefined): void {
    if (answer?.error) this.failure ??= 'error-in-stream';
    const { prompt_tokens: prompt, completion_tokens: output } = answer?.usage ?? {};
    if (isCount(prompt) && isCount(output)) this.usage = { promptTokens: prompt, outputTokens: output };
    if (!this.#collects) return;
    const [choice] = answer?.choices ?? [];
    const text = choice?.delta?.content ?? choice?.message?.content ?? choice?.text;
    if (typeof text === 'string' && this.text.length < MAX_BYTES) this.text += text;
  }
}

/** What is read of an answer. Servers may send anything, so nothing in it is sure. */
interface Answer {
  error?: unknown;
  usage?: { prompt_tokens?: unknown; completion_tokens?: unknown } | null;
  choices?: { delta?: { content?: unknown }; message?: { content?: unknown }; text?: unknown }[];
}

function parse(latin1: string): Answer | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(latin1, 'latin1').toString());
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 1e9;
}
