const SUFFIXES: Record<string, number> = {
  '': 1,
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** A Kubernetes quantity as a number, such as 0.5 for `500m`. Throws an Error for what is none. */
export function parseQuantity(text: string | number): number {
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([a-zA-Z]*))$/.exec(String(text));
  const factor = SUFFIXES[match?.[3] ?? ''];
  if (!match || factor === undefined) throw new Error(`not a quantity: ${text}`);
  return Number(`${match[1]}${match[2] ?? ''}`) * factor;
}

/** A number as the API server writes it: whole, or in thousandths. */
export function formatQuantity(value: number): string {
  const thousandths = Math.ceil(value * 1000 - 1e-6);
  return thousandths % 1000 === 0 ? String(thousandths / 1000) : `${thousandths}m`;
}
