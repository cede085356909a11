const NANO = 10n ** 9n;
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const DECIMAL: readonly (readonly [suffix: string, nano: bigint])[] = [
  ['E', NANO * 10n ** 18n],
  ['P', NANO * 10n ** 15n],
  ['T', NANO * 10n ** 12n],
  ['G', NANO * 10n ** 9n],
  ['M', NANO * 10n ** 6n],
  ['k', NANO * 10n ** 3n],
  ['', NANO],
  ['m', 10n ** 6n],
  ['u', 10n ** 3n],
  ['n', 1n],
];

/**
 * A quantity as the API server writes it back: `1000m` is `1`, `1.5Gi` is `1536Mi` (apimachinery, resource.Quantity). What
 * is applied in this form is equal to the live object, so that nobody takes it for changed. Throws RangeError when the
 * text is no quantity.
 */
export function canonicalQuantity(text: string): string {
  const [, whole, fraction = '', suffix = ''] =
    /^([0-9]+)(?:\.([0-9]+))?([KMGTPE]i|[numkMGTPE])?$/.exec(text) ?? [];
  if (whole === undefined) throw new RangeError(`not a quantity: ${text}`);
  const power = BINARY.indexOf(suffix);
  const unit = power > 0 ? NANO * 1024n ** BigInt(power) : DECIMAL.find(([name]) => name === suffix)?.[1];
  const divisor = 10n ** BigInt(fraction.length);
  const nano = (BigInt(whole + fraction) * (unit ?? NANO) + divisor - 1n) / divisor;
  if (nano === 0n) return '0';
  if (power > 0 && nano % NANO === 0n && nano >= 1024n * NANO) return binary(nano / NANO);
  const [name, size] = DECIMAL.find(([, size]) => nano % size === 0n) ?? ['n', 1n];
  return `${nano / size}${name}`;
}

function binary(value: bigint): string {
  let step = 0;
  let rest = value;
  while (rest % 1024n === 0n && step < BINARY.length - 1) {
    rest /= 1024n;
    step += 1;
  }
  return `${rest}${BINARY[step]}`;
}
