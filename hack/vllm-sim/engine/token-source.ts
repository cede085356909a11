/** Where a sequence's tokens come from. */

export interface SourceToken {
  id: number;
  /** Text to send now; shorter or empty while a stop string may be forming. */
  text: string;
  /** Set when the sequence ends by itself: end of text, or a stop string. */
  end?: { stopReason: string | null };
}

export interface TokenSource {
  next(): SourceToken;
  /** Text still held back, for a sequence that is cut by its length. */
  rest(): string;
}

/** Id of the end-of-text token. */
export const END_OF_TEXT = 2 ** 28 + 0x110000 + 6;
