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

/**
 * A stream with its text in one piece: an engine under load sends several tokens in one event. Events that are alike but for
 * their text count once; the text stands behind them. Choices come in any order.
 */
function joined(body: string): string {
  let text = '';
  const events = body.split('\n\n').map((event) => {
    const choice = /"index":(\d+)/.exec(event)?.[1] ?? '';
    return {
      choice,
      event: event.replaceAll(TEXT, '$1"…"'),
      text: [...event.matchAll(TEXT)].map((m) => m[2]).join(''),
    };
  });
  const several = events.some(({ choice }) => Number(choice) > 0);
  const sorted = several
    ? events.toSorted((a, b) => (a.choice < b.choice ? -1 : a.choice > b.choice ? 1 : 0))
    : events;
  const kept = sorted
    .filter(({ event }) => !isText(event))
    .filter(({ event }, i, rest) => event !== rest[i - 1]?.event);
  for (const event of sorted) text += event.text;
  return `${kept.map(({ event }) => event).join('\n\n')}${text}`;
}
