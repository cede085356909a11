/** The text form of label selectors, as in `?labelSelector=`: equality and sets, all of which must hold. */

export type LabelPredicate = (labels: Readonly<Record<string, string>>) => boolean;

/** The text is no selector. */
export class LabelSelectorError extends Error {
  override readonly name = 'LabelSelectorError';
  readonly code = 'LABEL_SELECTOR';

  constructor(selector: string, part: string) {
    super(
      `labelSelector "${selector}": cannot read "${part}"; write key=value, key!=value, key in (a,b), key or !key`,
    );
  }
}

const KEY = '([A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?)';
const VALUE = '([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?';
const ONE_VALUE = new RegExp(`^${VALUE}$`);
const EXISTS = new RegExp(`^(!?)\\s*${KEY}$`);
const EQUALITY = new RegExp(`^${KEY}\\s*(==?|!=)\\s*(${VALUE})$`);
const SET = new RegExp(`^${KEY}\\s+(in|notin)\\s*\\(([^()]*)\\)$`);

/** Reads a selector; an empty one selects everything. @throws {LabelSelectorError} */
export function parseLabelSelector(selector: string): LabelPredicate {
  const requirements = split(selector).map((part) => requirement(selector, part));
  return (labels) => requirements.every((holds) => holds(labels));
}

/** Splits at commas outside of parentheses. */
function split(selector: string): string[] {
  if (selector.trim() === '') return [];
  const parts: string[] = [];
  let start = 0;
  let inside = false;
  for (let at = 0; at <= selector.length; at += 1) {
    const character = selector.charAt(at);
    if (character === '(' || character === ')') inside = character === '(';
    if (at < selector.length && (character !== ',' || inside)) continue;
    parts.push(selector.slice(start, at).trim());
    start = at + 1;
  }
  return parts;
}

function requirement(selector: string, part: string): LabelPredicate {
  const exists = EXISTS.exec(part);
  if (exists) {
    const key = exists[2] ?? '';
    const wanted = exists[1] === '';
    return (labels) => (labels[key] !== undefined) === wanted;
  }
  const equality = EQUALITY.exec(part);
  if (equality) {
    const [, key = '', , operator, value = ''] = equality;
    return (labels) => (labels[key] === value) === (operator !== '!=');
  }
  const set = SET.exec(part);
  if (!set) throw new LabelSelectorError(selector, part);
  const [, key = '', , operator, list = ''] = set;
  const values = new Set(list.split(',').map((value) => value.trim()));
  for (const value of values) {
    if (!ONE_VALUE.test(value)) throw new LabelSelectorError(selector, value);
  }
  return (labels) => {
    const value = labels[key];
    return (value !== undefined && values.has(value)) === (operator === 'in');
  };
}
