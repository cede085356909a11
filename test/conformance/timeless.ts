/**
 * An answer without what two answers to one request differ in: names, times, and how much of the prompt was cached. Scores
 * are rounded: the last digits depend on what else was computed at once.
 */
export function timeless(body: string): string {
  const masked = body
    .replaceAll(/("(?:created|created_at|completed_at)": ?)[\d.]+/g, '$1<time>')
    .replaceAll(/("(?:cached_tokens|created_cache_tokens|cache_read_input_tokens)": ?)\d+/g, '$1<count>')
    .replaceAll(/("sequence_number": ?)\d+/g, '$1<count>')
    .replaceAll(/\[\d\d:\d\d:\d\d\]/g, '[<time>]')
    // Items of a response have no prefix.
    .replaceAll(/("(?:id|item_id)": ?)"[0-9a-f]{16}"/g, '$1"<id>"')
    .replaceAll(/\b([a-z]+)([-_])(?:tool-)?[0-9a-f]{16,}\b/g, '$1$2<id>')
    .replaceAll(/-?\d+\.\d{5,}(?:e-?\d+)?/g, (number) => Number(number).toFixed(4));
  return /^(?:data|event):/.test(masked) ? joined(masked) : masked;
}

/** Whether an event has text and nothing else: it may have come with the one before or behind it. */
function isText(event: string): boolean {
  return event.includes('"logprobs":null,"finish_reason":null') && !event.includes('"role"');
}

/** Where a model's text stands in an event of a stream. */
const TEXT = /("(?:content|text|delta|arguments)": ?)"((?:[^"\\]|\\.)*)"/g;

/** The log probabilities of the tokens of an event, in lists by name. */
const LOGPROBS = /"logprobs":(\{.*?\})(?=,"finish_reason")/g;

/**
 * A stream with its text and its log probabilities in one piece each: an engine under load sends several tokens in one event.
 * Events that are alike but for these count once; text and log probabilities stand behind them. Choices come in any order.
 */
function joined(body: string): string {
  const events = body.split('\n\n').map((event) => {
    const choice = /"index":(\d+)/.exec(event)?.[1] ?? '';
    return {
      choice,
      event: event.replaceAll(LOGPROBS, '"logprobs":null').replaceAll(TEXT, '$1"…"'),
      text: [...event.matchAll(TEXT)].map((m) => m[2]).join(''),
      logprobs: [...event.matchAll(LOGPROBS)].map((m) => JSON.parse(m[1] ?? '{}') as Record<string, unknown>),
    };
  });
  const several = events.some(({ choice }) => Number(choice) > 0);
  const sorted = several
    ? events.toSorted((a, b) => (a.choice < b.choice ? -1 : a.choice > b.choice ? 1 : 0))
    : events;
  const kept = sorted
    .filter(({ event }) => !isText(event))
    .filter(({ event }, i, rest) => event !== rest[i - 1]?.event);
  const text = sorted.map((event) => event.text).join('');
  const logprobs = appended(sorted.flatMap((event) => event.logprobs));
  return `${kept.map(({ event }) => event).join('\n\n')}${text}${logprobs}`;
}

/** Lists of the same name behind each other, as text; empty where there are none. */
function appended(parts: readonly Record<string, unknown>[]): string {
  const names = [...new Set(parts.flatMap(Object.keys))];
  return names.map((name) => JSON.stringify([name, ...parts.flatMap((part) => part[name])])).join('');
}
