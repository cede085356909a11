/** Makes the requests of a workload, one after another. */
import { randomWords } from './random-words.ts';
import type { Message, Workload } from './workload.ts';

export interface LoadRequest {
  messages: readonly Message[];
  outputTokens: number;
  /** Whether the answer has to have exactly that length. */
  exact: boolean;
  /** Takes the text of the answer, undefined if there is none. Absent if nobody needs it. */
  answered?: (text: string | undefined) => void;
}

export type RequestSource = () => LoadRequest;

/** A source of requests. `random` makes prompts differ. */
export function requestSource(workload: Workload, random: () => number): RequestSource {
  const { kind, outputTokens } = workload;
  const single = (content: string): LoadRequest => ({
    messages: [{ role: 'user', content }],
    outputTokens,
    exact: true,
  });
  switch (kind) {
    case 'random':
      return () => single(randomWords(workload.promptTokens, random));
    case 'shared-prefix': {
      const prefixes = Array.from({ length: workload.prefixes }, () =>
        randomWords(workload.prefixTokens, random),
      );
      return () => {
        const prefix = prefixes[Math.floor(random() * prefixes.length)];
        return single(`${prefix} ${randomWords(workload.promptTokens, random)}`);
      };
    }
    case 'multi-turn':
      return conversationSource(workload, random);
    case 'prompts': {
      let next = 0;
      return () => {
        const prompt = workload.prompts[next++ % workload.prompts.length];
        if (prompt === undefined) throw new RangeError('the workload has no prompts');
        return { outputTokens, ...prompt, exact: false };
      };
    }
  }
}

function conversationSource(
  { conversations, turns, promptTokens, outputTokens }: Extract<Workload, { kind: 'multi-turn' }>,
  random: () => number,
): RequestSource {
  /** Messages of the conversations that wait for their next turn, the one that has waited longest first. */
  const idle = new Set<readonly Message[]>();
  let open = 0;
  return () => {
    const [oldest] = open + idle.size < conversations ? [] : idle;
    if (oldest) idle.delete(oldest);
    open += 1;
    const messages: Message[] = [
      ...(oldest ?? []),
      { role: 'user', content: randomWords(promptTokens, random) },
    ];
    const answered = (text: string | undefined): void => {
      open -= 1;
      const done = text === undefined || messages.length >= 2 * turns - 1;
      if (!done) idle.add([...messages, { role: 'assistant', content: text }]);
    };
    return { messages, outputTokens, exact: true, answered };
  };
}
