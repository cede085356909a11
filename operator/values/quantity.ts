/** A quantity as an exact number of nano-units, with the family of suffixes in which it was written. */
export interface Quantity {
  nano: bigint;
  binary: boolean;
}

const NANO = 1_000_000_000n;
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const DECIMAL: readonly (readonly [string, bigint])[] = [
  ['n', 1n],
  ['u', 1_000n],
  ['m', 1_000_000n],
  ['', NANO],
  ['k', NANO * 1_000n],
  ['M', NANO * 1_000_000n],
  ['G', NANO * 1_000_000_000n],
  ['T', NANO * 1_000_000_000_000n],
  ['P', NANO * 1_000_000_000_000_000n],
  ['E', NANO * 1_000_000_000_000_000_000n],
];

/**
 * Parses a quantity such as `500m`, `1.5Gi` or `2e3` (apimachinery, resource.Quantity); undefined if it is invalid. An
 * exponent has at most three digits.
 */
export function parseQuantity(text: string): Quantity | undefined {
  const parsed = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:([KMGTPE]i)|([numkMGTPE])|[eE]([+-]?\d{1,3}))?$/.exec(text);
  if (!parsed) return undefined;
  const [, sign, number = '', binary, decimal, exponent] = parsed;
  let scale = NANO;
  if (binary !== undefined) scale = NANO * 1024n ** BigInt(BINARY.indexOf(binary));
  if (decimal !== undefined) scale = DECIMAL.find(([suffix]) => suffix === decimal)?.[1] ?? NANO;
  const [whole = '', fraction = ''] = number.split('.');
  const digits = BigInt(`${whole}${fraction}` || '0');
  let numerator = digits * scale;
  let denominator = 10n ** BigInt(fraction.length);
  const power = Number(exponent ?? 0);
  if (power > 0) numerator *= 10n ** BigInt(power);
  if (power < 0) denominator *= 10n ** BigInt(-power);
  const nano = (numerator + denominator - 1n) / denominator;
  return { nano: sign === '-' ? -nano : nano, binary: binary !== undefined };
}

/** Formats a quantity in canonical form: with the largest suffix that needs no fraction. */
export function formatQuantity({ nano, binary }: Quantity): string {
  if (nano === 0n) return '0';
  const sign = nano < 0n ? '-' : '';
  const size = nano < 0n ? -nano : nano;
  if (binary && size % NANO === 0n && size >= 1024n * NANO) {
    let value = size / NANO;
    let step = 0;
    while (value % 1024n === 0n && step < BINARY.length - 1) {
      value /= 1024n;
      step++;
    }
    return `${sign}${value}${BINARY[step]}`;
  }
  for (const [suffix, unit] of [...DECIMAL].reverse()) {
    if (size % unit === 0n) return `${sign}${size / unit}${suffix}`;
  }
  return `${sign}${size}n`;
}

/**
 * A quantity in the form in which the API server returns it: `1000m` is `1`, `1.5Gi` is `1536Mi`. Applied in this form, it
 * equals the live object. Throws RangeError if it is invalid.
 */
export function canonicalQuantity(text: string): string {
  return formatQuantity(mustParse(text));
}

/** Numeric value of a quantity: bytes for memory, cores for CPU. Throws RangeError if it is invalid. */
export function quantityValue(text: string): number {
  const { nano } = mustParse(text);
  return Number(nano / NANO) + Number(nano % NANO) / 1e9;
}

function mustParse(text: string): Quantity {
  const quantity = parseQuantity(text);
  if (!quantity) throw new RangeError(`not a quantity: ${text}`);
  return quantity;
}
