/** Which requests a load consists of. Lengths are in tokens. */

/** A prompt of a user: a text, or the messages of a chat. */
export interface Prompt {
  messages: readonly Message[];
  /** Overrides `outputTokens` of the workload. */
  outputTokens?: number;
}

export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export type Workload =
  /** Prompts that have nothing in common, so that no cache helps. */
  | { kind: 'random'; promptTokens: number; outputTokens: number }
  /** Each prompt begins with one of `prefixes` texts of `prefixTokens`, and `promptTokens` of its own follow. */
  | {
      kind: 'shared-prefix';
      prefixes: number;
      prefixTokens: number;
      promptTokens: number;
      outputTokens: number;
    }
  /**
   * Conversations of `turns` requests; each adds a prompt and its answer to the next. An arrival continues the conversation
   * that has been idle for longest if there are `conversations` of them, else it begins one. It never waits for an answer.
   */
  | {
      kind: 'multi-turn';
      conversations: number;
      turns: number;
      promptTokens: number;
      outputTokens: number;
    }
  /** Prompts of a file, in turn. Answers may be shorter than `outputTokens`. */
  | { kind: 'prompts'; prompts: readonly Prompt[]; outputTokens: number };

/** One line about a workload, without its texts. */
export function workloadText(workload: Workload): string {
  const { kind, outputTokens } = workload;
  switch (kind) {
    case 'random':
      return `random ${workload.promptTokens}+${outputTokens} tokens`;
    case 'shared-prefix':
      return `shared-prefix ${workload.prefixTokens} of ${workload.prefixes} + ${workload.promptTokens}+${outputTokens} tokens`;
    case 'multi-turn':
      return `multi-turn ${workload.turns} turns, ${workload.conversations} conversations, ${workload.promptTokens}+${outputTokens} tokens`;
    case 'prompts':
      return `prompts ${workload.prompts.length}, at most ${outputTokens} output tokens`;
  }
}
