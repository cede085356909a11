import { isIP } from 'node:net';
import { Environment } from '@marcbachmann/cel-js';
import { formatQuantity, parseQuantity, type Quantity } from '../../../../operator/values/quantity.ts';
import { checkFormat, isCidr, isUri } from '../schema/formats.ts';

/** A value of a type that CEL in Kubernetes has beyond the language. */
class Value<T> {
  readonly value: T;

  constructor(value: T) {
    this.value = value;
  }
}

class CelQuantity extends Value<Quantity> {}
class CelUrl extends Value<URL> {}
class CelIp extends Value<string> {}

/** Functions by their signatures. */
type Library = Readonly<Record<string, (...values: never[]) => unknown>>;
type Comparable = bigint | number | string;
type List = Iterable<Comparable>;

const ONE = 1_000_000_000n;

/** The functions that CEL in Kubernetes has beyond the language, as far as validation rules of CRDs use them. */
export function kubernetesEnvironment(): Environment {
  const environment = new Environment({ homogeneousAggregateLiterals: false, enableOptionalTypes: true })
    .registerType('Quantity', { ctor: CelQuantity, fields: {} })
    .registerType('URL', { ctor: CelUrl, fields: {} })
    .registerType('IP', { ctor: CelIp, fields: {} });
  for (const library of [QUANTITIES, ADDRESSES, STRINGS, LISTS])
    for (const [signature, run] of Object.entries(library)) environment.registerFunction(signature, run);
  environment.registerOperator(
    'Quantity == Quantity',
    (a: CelQuantity, b: CelQuantity) => a.value.nano === b.value.nano,
  );
  return environment;
}

function quantityOf(text: string): CelQuantity {
  const value = parseQuantity(text);
  if (value) return new CelQuantity(value);
  const pattern = '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$';
  throw new Error(`quantities must match the regular expression '${pattern}'`);
}

const sign = (nano: bigint): bigint => (nano === 0n ? 0n : nano > 0n ? 1n : -1n);
const sum = ({ value: { nano, binary } }: CelQuantity, more: bigint): CelQuantity =>
  new CelQuantity({ nano: nano + more, binary });

const QUANTITIES: Library = {
  'isQuantity(string): bool': (text: string) => parseQuantity(text) !== undefined,
  'quantity(string): Quantity': quantityOf,
  'Quantity.isGreaterThan(Quantity): bool': (a: CelQuantity, b: CelQuantity) => a.value.nano > b.value.nano,
  'Quantity.isLessThan(Quantity): bool': (a: CelQuantity, b: CelQuantity) => a.value.nano < b.value.nano,
  'Quantity.compareTo(Quantity): int': (a: CelQuantity, b: CelQuantity) => sign(a.value.nano - b.value.nano),
  'Quantity.isInteger(): bool': ({ value }: CelQuantity) => value.nano % ONE === 0n,
  'Quantity.asInteger(): int': ({ value }: CelQuantity) => value.nano / ONE,
  'Quantity.asApproximateFloat(): double': ({ value }: CelQuantity) => Number(value.nano) / 1e9,
  'Quantity.sign(): int': ({ value }: CelQuantity) => sign(value.nano),
  'Quantity.add(Quantity): Quantity': (a: CelQuantity, b: CelQuantity) => sum(a, b.value.nano),
  'Quantity.sub(Quantity): Quantity': (a: CelQuantity, b: CelQuantity) => sum(a, -b.value.nano),
  'Quantity.string(): string': ({ value }: CelQuantity) => formatQuantity(value),
};

const ADDRESSES: Library = {
  'isURL(string): bool': isUri,
  'url(string): URL': (text: string) => {
    if (!isUri(text)) throw new Error(`URL parse error: ${JSON.stringify(text)}`);
    return new CelUrl(new URL(text, 'relative://'));
  },
  'URL.getScheme(): string': ({ value }: CelUrl) => value.protocol.replace('relative:', '').replace(':', ''),
  'URL.getHost(): string': ({ value }: CelUrl) => value.host,
  'URL.getHostname(): string': ({ value }: CelUrl) => value.hostname,
  'URL.getPort(): string': ({ value }: CelUrl) => value.port,
  'URL.getEscapedPath(): string': ({ value }: CelUrl) => value.pathname,
  'isIP(string): bool': (text: string) => isIP(text) !== 0,
  'isCIDR(string): bool': isCidr,
  'ip(string): IP': (text: string) => {
    if (isIP(text) === 0) throw new Error(`IP Address ${JSON.stringify(text)} parse error`);
    return new CelIp(text);
  },
  'IP.family(): int': ({ value }: CelIp) => BigInt(isIP(value)),
};

const STRINGS: Library = {
  'string.replace(string, string): string': (text: string, from: string, to: string) =>
    text.replaceAll(from, to),
  'string.replace(string, string, int): string': (text: string, from: string, to: string, count: bigint) => {
    let left = count;
    return text.replaceAll(from, () => (count < 0n || left-- > 0n ? to : from));
  },
  'string.charAt(int): string': (text: string, index: bigint) => [...text][Number(index)] ?? '',
  'string.find(string): string': (text: string, pattern: string) => new RegExp(pattern).exec(text)?.[0] ?? '',
  'string.findAll(string): list<string>': (text: string, pattern: string) =>
    text.match(new RegExp(pattern, 'g')) ?? [],
  'isDNS1123Label(string): bool': (text: string) => checkFormat('k8s-short-name', text),
  'isDNS1123Subdomain(string): bool': (text: string) => checkFormat('k8s-long-name', text),
};

const add = (a: Comparable, b: Comparable): Comparable =>
  typeof a === 'bigint' && typeof b === 'bigint' ? a + b : Number(a) + Number(b);

function pick(list: List, better: (a: Comparable, b: Comparable) => boolean): Comparable {
  const [first, ...rest] = list;
  if (first === undefined) throw new Error('min/max called on empty list');
  return rest.reduce((best, item) => (better(item, best) ? item : best), first);
}

const LISTS: Library = {
  'list.sum(): dyn': (list: List) => [...list].reduce(add, 0n),
  'list.min(): dyn': (list: List) => pick(list, (a, b) => a < b),
  'list.max(): dyn': (list: List) => pick(list, (a, b) => a > b),
  'list.isSorted(): bool': (list: List) =>
    [...list].every((item, index, all) => index === 0 || (all[index - 1] ?? item) <= item),
  'list.indexOf(dyn): int': (list: List, value: Comparable) => BigInt([...list].indexOf(value)),
  'list.lastIndexOf(dyn): int': (list: List, value: Comparable) => BigInt([...list].lastIndexOf(value)),
};
