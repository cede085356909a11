/** Between words: white space, quotes, brackets, and what separates parameters. */
const BETWEEN = /([\s"'[\](){}<>,;&?|]+)/;
/** Ends of the names of credentials, such as AWS_SECRET_ACCESS_KEY, in lower case without dashes. */
const NAMES = [
  ...['api', 'access', 'account', 'auth', 'encryption', 'private', 'secret', 'signing'].map(
    (of) => `${of}key`,
  ),
  ...['secret', 'token', 'password', 'passwd', 'passphrase', 'credential', 'credentials', 'authorization'],
  'signature',
];
const SCHEME = /^(basic|bearer|digest)$/i;
/** Beginnings of tokens of Hugging Face, OpenAI, GitHub, GitLab, Slack, Google, NVIDIA and AWS, and of JWTs. */
const KNOWN = /hf_|\b(sk-|gh[opsur]_|github_pat_|glpat-|xox[a-z]-|AIza|ya29\.|nvapi-|AKIA|ASIA|eyJ)/;
const MIN_TOKEN = 8;
/** Lines of private keys have 64 characters. */
const BASE64 = /^[A-Za-z0-9+/=]{40}/;

/** What ends a value that begins behind one of these. Others are one word. */
const CLOSING: Readonly<Record<string, string>> = { '[': ']', '"': '"', "'": "'" };

function isName(text: string): boolean {
  const name = text.slice(-64).replace(/[-_]/g, '').toLowerCase();
  return name === 'sig' || NAMES.some((end) => name.endsWith(end));
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

/** Whether a word is a part of a key. Digests have one case, and paths few capitals. */
function isKeyLine(word: string): boolean {
  return BASE64.test(word) && count(word, /[A-Z]/g) >= 5 && count(word, /[0-9]/g) >= 3;
}

/** Removes user and password of a URL. A password may contain a slash. */
function withoutUser(word: string): string {
  const start = word.indexOf('://') + 3;
  if (start < 3) return word;
  const slash = word.indexOf('/', start);
  const authority = word.slice(start, slash < 0 ? undefined : slash);
  const hasPassword = /:[^0-9]/.test(authority);
  const at = hasPassword ? word.lastIndexOf('@') : start + authority.lastIndexOf('@');
  return at < start ? word : `${word.slice(0, start)}…${word.slice(at + 1)}`;
}

function withoutToken(word: string): string {
  const start = word.search(KNOWN);
  if (isKeyLine(word)) return '…';
  return start < 0 || word.length - start < MIN_TOKEN + 3 ? word : `${word.slice(0, start)}…`;
}

/** The place behind `name=` or `name:` of a credential; 0 if the word has none. */
function behindName(word: string): number {
  const at = word.search(/[=:]/);
  return at > 0 && isName(word.slice(0, at)) ? at + 1 : 0;
}

/**
 * A text with an ellipsis in the place of all that looks like a credential: values behind a name that says so, tokens that
 * are known by how they begin, and users and passwords in URLs.
 */
export function withoutCredentials(text: string): string {
  const pieces = text.split(BETWEEN);
  /** What ends the value that is being left out: a character, or the end of a word. */
  let closing: string | undefined;
  let isNamed = false;
  let last = '';
  const out = pieces.map((piece, place) => {
    if (place % 2 === 1) {
      if (closing !== undefined && piece.includes(closing)) closing = undefined;
      else if (isNamed && closing === undefined)
        closing = CLOSING[[...piece].find((c) => c in CLOSING) ?? ''];
      return piece;
    }
    if (piece === '') return piece;
    const before = last;
    last = piece;
    if (closing !== undefined) {
      isNamed = false;
      return '…';
    }
    if (isNamed || (/^bearer$/i.test(before) && piece.length >= MIN_TOKEN)) {
      isNamed = SCHEME.test(piece);
      return isNamed ? piece : '…';
    }
    const behind = behindName(piece);
    isNamed = behind > 0 ? behind === piece.length : isValueOf(before, piece);
    if (behind > 0) return `${piece.slice(0, behind)}${isNamed ? '' : '…'}`;
    return withoutToken(withoutUser(piece));
  });
  return out.join('');
}

/** Whether a value follows this word: the name of an option, or a sign behind a name. */
function isValueOf(before: string, word: string): boolean {
  if (word === '=' || word === ':') return isName(before);
  return word.startsWith('--') && isName(word);
}
