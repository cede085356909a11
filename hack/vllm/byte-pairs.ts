/** Byte-level byte-pair encoding, trained on a text, in the form of `tokenizer.json` of the tokenizers library. */

/** How GPT-2 cuts a text before pairs are merged: no token crosses these borders. */
const PIECES = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** A printable character for each byte, as GPT-2 writes them: printable ASCII and Latin-1 stand for themselves. */
const BYTE_CHARACTERS: readonly string[] = byteCharacters();

export interface BytePairs {
  /** The 256 bytes, then one token for each merge. */
  tokens: readonly string[];
  merges: readonly (readonly [string, string])[];
}

/** Merges the most frequent pair again and again; of equally frequent ones, the first in the order of code units. */
export function trainBytePairs(text: string, merges: number): BytePairs {
  const counts = new Map<string, number>();
  for (const [piece] of text.matchAll(PIECES)) counts.set(piece, (counts.get(piece) ?? 0) + 1);
  const words = [...counts].map(([piece, count]) => ({ symbols: toCharacters(piece), count }));
  const made: [string, string][] = [];
  while (made.length < merges) {
    const best = mostFrequentPair(words);
    if (best === undefined) break;
    made.push(best);
    for (const word of words) word.symbols = mergeIn(word.symbols, best);
  }
  return { tokens: [...BYTE_CHARACTERS, ...made.map(([a, b]) => a + b)], merges: made };
}

/** True for a token of printable ASCII, a space before it included. */
export function isPlain(token: string): boolean {
  return /^Ġ?[!-~]*$/.test(token);
}

function mostFrequentPair(
  words: readonly { symbols: readonly string[]; count: number }[],
): [string, string] | undefined {
  const pairs = new Map<string, number>();
  for (const { symbols, count } of words) {
    for (let i = 1; i < symbols.length; i += 1) {
      const pair = `${symbols[i - 1]} ${symbols[i]}`;
      pairs.set(pair, (pairs.get(pair) ?? 0) + count);
    }
  }
  let best: string | undefined;
  for (const [pair, count] of pairs) {
    const most = best === undefined ? 0 : (pairs.get(best) ?? 0);
    if (count > most || (count === most && best !== undefined && pair < best)) best = pair;
  }
  return best?.split(' ') as [string, string] | undefined;
}

function mergeIn(symbols: readonly string[], [left, right]: readonly [string, string]): string[] {
  const merged: string[] = [];
  for (const symbol of symbols) {
    if (symbol === right && merged.at(-1) === left) merged[merged.length - 1] = left + right;
    else merged.push(symbol);
  }
  return merged;
}

function toCharacters(text: string): string[] {
  return Array.from(Buffer.from(text), (byte) => BYTE_CHARACTERS[byte] ?? '');
}

function byteCharacters(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    if (printable) return String.fromCharCode(byte);
    next += 1;
    return String.fromCharCode(next - 1);
  });
}
