/**
 * A reversible stand-in for a tokenizer: four ASCII characters make a token, any other character is one of its own.
 * Ids hold the characters themselves, so that detokenizing needs no vocabulary.
 */

const WIDTH = 4;
/** Ids from here on are a code point outside ASCII. */
const WIDE = 2 ** 28;
/** Special tokens of the chat template, above all code points. */
const SPECIAL = WIDE + 0x110000;
const SPECIAL_NAMES = [
  '<|begin|>',
  '<|system|>',
  '<|developer|>',
  '<|user|>',
  '<|assistant|>',
  '<|tool|>',
  '<|end|>',
];

/** Splits a text into token ids, appending to `into` when given. */
export function tokenize(text: string, into: number[] = []): number[] {
  let id = 0;
  let width = 0;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit > 0 && unit < 128) {
      id = id * 128 + unit;
      width += 1;
      if (width === WIDTH) {
        into.push(id);
        id = 0;
        width = 0;
      }
      continue;
    }
    if (width > 0) {
      into.push(id);
      id = 0;
      width = 0;
    }
    const point = text.codePointAt(i) ?? unit;
    i += point > 0xffff ? 1 : 0;
    into.push(WIDE + point);
  }
  if (width > 0) {
    into.push(id);
  }
  return into;
}

/** Text of token ids; special tokens give their names. */
export function detokenize(ids: readonly number[]): string {
  return ids.map(tokenText).join('');
}

/** Text of one id. */
export function tokenText(id: number): string {
  if (id >= SPECIAL) {
    return SPECIAL_NAMES[id - SPECIAL] ?? '';
  }
  if (id >= WIDE) {
    return String.fromCodePoint(id - WIDE);
  }
  let text = '';
  for (let rest = id; rest > 0; rest = Math.floor(rest / 128)) {
    text = String.fromCharCode(rest % 128) + text;
  }
  return text;
}

/** Id of a chat role's marker, or of `begin` and `end`. Unknown roles share the user's. */
export function specialToken(name: string): number {
  const at = SPECIAL_NAMES.indexOf(`<|${name}|>`);
  return SPECIAL + (at < 0 ? SPECIAL_NAMES.indexOf('<|user|>') : at);
}
