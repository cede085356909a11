import { isIP } from 'node:net';
import { Environment } from '@marcbachmann/cel-js';
import { formatQuantity, parseQuantity, type Quantity } from '../../../../operator/values/quantity.ts';
import { checkFormat, isCidr, isUri } from '../schema/formats.ts';

/** A quantity as a CEL value. */
export class CelQuantity {
  readonly value: Quantity;

  constructor(value: Quantity) {
    this.value = value;
  }
}

/** A URL as a CEL value. */
export class CelUrl {
  readonly value: URL;

  constructor(value: URL) {
    this.value = value;
  }
}

/** An IP address as a CEL value. */
export class CelIp {
  readonly value: string;

  constructor(value: string) {
    this.value = value;
  }
}

const ONE = 1_000_000_000n;

/** The functions that CEL in Kubernetes has beyond the language, as far as validation rules of CRDs use them. */
export function kubernetesEnvironment(): Environment {
  const environment = new Environment({ homogeneousAggregateLiterals: false, enableOptionalTypes: true });
  addQuantities(environment);
  addUrls(environment);
  addAddresses(environment);
  addStrings(environment);
  addLists(environment);
  return environment;
}

function quantityOf(text: string): CelQuantity {
  const value = parseQuantity(text);
  if (!value)
    throw new Error(
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    );
  return new CelQuantity(value);
}

function addQuantities(environment: Environment): void {
  environment.registerType('Quantity', { ctor: CelQuantity, fields: {} });
  environment.registerFunction(
    'isQuantity(string): bool',
    (text: string) => parseQuantity(text) !== undefined,
  );
  environment.registerFunction('quantity(string): Quantity', quantityOf);
  const compare = (a: CelQuantity, b: CelQuantity): bigint =>
    a.value.nano === b.value.nano ? 0n : a.value.nano > b.value.nano ? 1n : -1n;
  environment.registerFunction(
    'Quantity.isGreaterThan(Quantity): bool',
    (a: CelQuantity, b: CelQuantity) => compare(a, b) > 0n,
  );
  environment.registerFunction(
    'Quantity.isLessThan(Quantity): bool',
    (a: CelQuantity, b: CelQuantity) => compare(a, b) < 0n,
  );
  environment.registerFunction('Quantity.compareTo(Quantity): int', compare);
  environment.registerOperator(
    'Quantity == Quantity',
    (a: CelQuantity, b: CelQuantity) => compare(a, b) === 0n,
  );
  environment.registerFunction('Quantity.isInteger(): bool', (a: CelQuantity) => a.value.nano % ONE === 0n);
  environment.registerFunction('Quantity.asInteger(): int', (a: CelQuantity) => a.value.nano / ONE);
  environment.registerFunction(
    'Quantity.asApproximateFloat(): double',
    (a: CelQuantity) => Number(a.value.nano) / 1e9,
  );
  environment.registerFunction('Quantity.sign(): int', (a: CelQuantity) =>
    compare(a, new CelQuantity({ nano: 0n, binary: false })),
  );
  const sum = (a: CelQuantity, b: CelQuantity, sign: bigint): CelQuantity =>
    new CelQuantity({ nano: a.value.nano + sign * b.value.nano, binary: a.value.binary });
  environment.registerFunction('Quantity.add(Quantity): Quantity', (a: CelQuantity, b: CelQuantity) =>
    sum(a, b, 1n),
  );
  environment.registerFunction('Quantity.sub(Quantity): Quantity', (a: CelQuantity, b: CelQuantity) =>
    sum(a, b, -1n),
  );
  environment.registerFunction('Quantity.string(): string', (a: CelQuantity) => formatQuantity(a.value));
}

function addUrls(environment: Environment): void {
  environment.registerType('URL', { ctor: CelUrl, fields: {} });
  const parse = (text: string): CelUrl => {
    if (!isUri(text)) throw new Error(`URL parse error: ${JSON.stringify(text)}`);
    return new CelUrl(new URL(text, 'relative://'));
  };
  environment.registerFunction('isURL(string): bool', (text: string) => isUri(text));
  environment.registerFunction('url(string): URL', parse);
  environment.registerFunction('URL.getScheme(): string', (url: CelUrl) =>
    url.value.protocol === 'relative:' ? '' : url.value.protocol.slice(0, -1),
  );
  environment.registerFunction('URL.getHost(): string', (url: CelUrl) => url.value.host);
  environment.registerFunction('URL.getHostname(): string', (url: CelUrl) => url.value.hostname);
  environment.registerFunction('URL.getPort(): string', (url: CelUrl) => url.value.port);
  environment.registerFunction('URL.getEscapedPath(): string', (url: CelUrl) => url.value.pathname);
}

function addAddresses(environment: Environment): void {
  environment.registerType('IP', { ctor: CelIp, fields: {} });
  environment.registerFunction('isIP(string): bool', (text: string) => isIP(text) !== 0);
  environment.registerFunction('isCIDR(string): bool', (text: string) => isCidr(text));
  environment.registerFunction('ip(string): IP', (text: string) => {
    if (isIP(text) === 0) throw new Error(`IP Address ${JSON.stringify(text)} parse error`);
    return new CelIp(text);
  });
  environment.registerFunction('IP.family(): int', (ip: CelIp) => BigInt(isIP(ip.value)));
}

function addStrings(environment: Environment): void {
  environment.registerFunction(
    'string.replace(string, string): string',
    (text: string, from: string, to: string) => text.replaceAll(from, to),
  );
  environment.registerFunction(
    'string.replace(string, string, int): string',
    (text: string, from: string, to: string, count: bigint) => {
      let out = text;
      for (let done = 0n, at = 0; done < count; done++) {
        const index = out.indexOf(from, at);
        if (index < 0) break;
        out = out.slice(0, index) + to + out.slice(index + from.length);
        at = index + to.length;
      }
      return out;
    },
  );
  environment.registerFunction(
    'string.charAt(int): string',
    (text: string, index: bigint) => [...text][Number(index)] ?? '',
  );
  environment.registerFunction(
    'string.find(string): string',
    (text: string, pattern: string) => new RegExp(pattern).exec(text)?.[0] ?? '',
  );
  environment.registerFunction(
    'string.findAll(string): list<string>',
    (text: string, pattern: string) => text.match(new RegExp(pattern, 'g')) ?? [],
  );
  const named: readonly (readonly [string, string])[] = [
    ['isDNS1123Label', 'k8s-short-name'],
    ['isDNS1123Subdomain', 'k8s-long-name'],
  ];
  for (const [name, format] of named) {
    environment.registerFunction(`${name}(string): bool`, (text: string) => checkFormat(format, text));
  }
}

type Comparable = bigint | number | string;

function addLists(environment: Environment): void {
  const items = (list: Iterable<unknown>): Comparable[] => [...list] as Comparable[];
  environment.registerFunction('list.sum(): dyn', (list: Iterable<unknown>) => {
    const all = items(list);
    if (all.length === 0) return 0n;
    return all.reduce((sum, item) =>
      typeof sum === 'bigint' && typeof item === 'bigint' ? sum + item : Number(sum) + Number(item),
    );
  });
  const pick = (list: Iterable<unknown>, better: (a: Comparable, b: Comparable) => boolean): Comparable => {
    const [first, ...rest] = items(list);
    if (first === undefined) throw new Error('min/max called on empty list');
    return rest.reduce((best, item) => (better(item, best) ? item : best), first);
  };
  environment.registerFunction('list.min(): dyn', (list: Iterable<unknown>) => pick(list, (a, b) => a < b));
  environment.registerFunction('list.max(): dyn', (list: Iterable<unknown>) => pick(list, (a, b) => a > b));
  environment.registerFunction('list.isSorted(): bool', (list: Iterable<unknown>) => {
    const all = items(list);
    return all.every((item, index) => index === 0 || (all[index - 1] as Comparable) <= item);
  });
  environment.registerFunction('list.indexOf(dyn): int', (list: Iterable<unknown>, value: unknown) =>
    BigInt([...list].indexOf(value)),
  );
  environment.registerFunction('list.lastIndexOf(dyn): int', (list: Iterable<unknown>, value: unknown) =>
    BigInt([...list].lastIndexOf(value)),
  );
}
