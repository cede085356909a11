const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)([.,]\d+)?(Z|[-+]\d\d:\d\d)$/;

/**
 * A time as Go formats it after parsing: in UTC, without a fraction, or for MicroTime with the six digits that it
 * must have. Undefined if the text is not a time.
 */
export function canonicalTime(text: string, micro: boolean): string | undefined {
  const [, time = '', fraction = '', zone = ''] = TIME.exec(text) ?? [];
  if (micro && !/^\.\d{6}$/.test(fraction)) return undefined;
  const date = new Date(`${time}${zone}`);
  // Date reads the 31st of a shorter month as the 1st of the next one.
  const sameDay = new Date(`${time}Z`).toJSON()?.startsWith(time) === true;
  if (!sameDay || Number.isNaN(date.getTime())) return undefined;
  return `${date.toJSON().slice(0, 19)}${micro ? fraction : ''}Z`;
}
