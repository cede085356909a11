/** Label selectors of Kubernetes, as objects and as text. */

/** One requirement on labels (metav1.LabelSelectorRequirement). Node selectors and the text form also compare integers. */
export interface LabelRequirement {
  key: string;
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';
  values?: readonly string[] | undefined;
}

/** metav1.LabelSelector. */
export interface LabelSelector {
  matchLabels?: Readonly<Record<string, string>> | undefined;
  matchExpressions?: readonly LabelRequirement[] | undefined;
}

type Labels = Readonly<Record<string, string>>;

/** Whether an object with these labels is selected. */
export type LabelPredicate = (labels: Labels) => boolean;

/** The text is not a valid selector. */
export class LabelSelectorError extends Error {
  override readonly name = 'LabelSelectorError';
  readonly code = 'LABEL_SELECTOR';

  constructor(selector: string, part: string) {
    super(
      `labelSelector "${selector}": cannot read "${part}"; write key=value, key!=value, key in (a,b), key or !key`,
    );
  }
}

/** Whether labels match a selector. An absent selector matches nothing, an empty one everything. */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels = {}): boolean {
  if (!selector) return false;
  const { matchLabels = {}, matchExpressions = [] } = selector;
  return (
    Object.entries(matchLabels).every(([key, value]) => labelOf(labels, key) === value) &&
    matchExpressions.every((requirement) => satisfies(requirement, labels))
  );
}

/** Whether labels meet one requirement. */
export function satisfies({ key, operator, values = [] }: LabelRequirement, labels: Labels): boolean {
  const value = labelOf(labels, key);
  switch (operator) {
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Gt':
    case 'Lt':
      if (value === undefined || !INTEGER.test(value)) return false;
      return operator === 'Gt' ? Number(value) > Number(values[0]) : Number(value) < Number(values[0]);
  }
}

/**
 * Parses the text form, as in `?labelSelector=`. An empty one selects everything.
 * @throws {LabelSelectorError}
 */
export function parseLabelSelector(selector: string): LabelPredicate {
  const requirements = split(selector).map((part) => {
    const requirement = parseRequirement(part);
    if (!requirement) throw new LabelSelectorError(selector, part);
    return requirement;
  });
  return (labels) => requirements.every((requirement) => satisfies(requirement, labels));
}

const INTEGER = /^-?[0-9]+$/;
const NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/;
const PREFIX = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;
const WORD = '([^\\s=!<>(),]+)';
const EXISTS = new RegExp(`^(!?)\\s*${WORD}$`);
const COMPARISON = new RegExp(`^${WORD}\\s*(==?|!=|<|>)\\s*${WORD}?$`);
const SET = new RegExp(`^${WORD}\\s+(in|notin)\\s*\\(([^()]*)\\)$`);
const OPERATORS: Readonly<Record<string, LabelRequirement['operator']>> = {
  '=': 'In',
  '==': 'In',
  in: 'In',
  '!=': 'NotIn',
  notin: 'NotIn',
  '>': 'Gt',
  '<': 'Lt',
};

function parseRequirement(part: string): LabelRequirement | undefined {
  const exists = EXISTS.exec(part);
  if (exists) return checked(exists[2] ?? '', exists[1] === '' ? 'Exists' : 'DoesNotExist');
  const comparison = COMPARISON.exec(part);
  if (comparison) {
    const [, key = '', sign = '', value = ''] = comparison;
    return checked(key, OPERATORS[sign], [value]);
  }
  const [, key = '', operator = '', list = ''] = SET.exec(part) ?? [];
  return checked(
    key,
    OPERATORS[operator],
    list.split(',').map((value) => value.trim()),
  );
}

function checked(
  key: string,
  operator: LabelRequirement['operator'] | undefined,
  values: string[] = [],
): LabelRequirement | undefined {
  const [name = '', prefix, ...more] = key.split('/').reverse();
  const isKey =
    NAME.test(name) &&
    name.length <= 63 &&
    (prefix === undefined || (PREFIX.test(prefix) && prefix.length <= 253)) &&
    more.length === 0;
  const valid =
    operator === 'Gt' || operator === 'Lt'
      ? (value: string) => INTEGER.test(value)
      : (value: string) => value === '' || (NAME.test(value) && value.length <= 63);
  return operator && isKey && values.every(valid) ? { key, operator, values } : undefined;
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

/** Only own properties, because users may write keys such as `constructor`. */
function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
