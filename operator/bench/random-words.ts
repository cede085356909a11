/** Texts of a known length in tokens, without a tokenizer: words that all common tokenizers have as one token. */

const WORDS =
  'the of and to in is that for it as was with on be by at this from or an are not you but have they one all we can her his more what out up about who get which go me when make like time no just him know take people into year your good some could them see other than then now look only come its over think also back after use two how our work first well way even new want because any these give day most us'.split(
    ' ',
  );

/** A text of this many tokens. The chat template of a model adds some. */
export function randomWords(tokens: number, random: () => number): string {
  let text = '';
  for (let n = 0; n < tokens; n++) {
    const word = WORDS[Math.floor(random() * WORDS.length)] ?? 'the';
    text += n === 0 ? word : ` ${word}`;
  }
  return text;
}
