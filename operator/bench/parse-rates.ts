/** Reads rates such as `5`, `1,2,4` or `10:50:10`, which is from 10 to 50 in steps of 10. */

const MAX_STEPS = 100;
const HIGHEST = 1_000_000;

/** Rates in requests a second. Throws RangeError with what is wrong. */
export function parseRates(text: string): number[] {
  const rates = text.split(',').flatMap((part) => {
    const [from = 0, to = from, step = 1, ...rest] = part.split(':').map(number);
    if (rest.length > 0) throw new RangeError(`${part}: use from:to:step`);
    if (part.split(':').length === 2) throw new RangeError(`${part}: the step is missing; use from:to:step`);
    if (to < from) throw new RangeError(`${part}: it ends below its beginning`);
    const count = Math.floor((to - from) / step + 1e-9) + 1;
    if (count > MAX_STEPS) throw new RangeError(`${part}: more than ${MAX_STEPS} steps`);
    return Array.from({ length: count }, (_, n) => Number((from + n * step).toPrecision(12)));
  });
  if (rates.length > MAX_STEPS) throw new RangeError(`more than ${MAX_STEPS} steps`);
  return rates;
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0) || value > HIGHEST)
    throw new RangeError(`${JSON.stringify(text)} is no number from above 0 to ${HIGHEST}`);
  return value;
}
