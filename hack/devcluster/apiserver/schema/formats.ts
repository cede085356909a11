import { isIP } from 'node:net';

const DURATION =
  /^[-+]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*$|^[-+]?0$/;
const HOST_LABEL = /^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?$/;
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

const isLabel = (value: string): boolean => DNS_LABEL.test(value);
const isDate = (value: string): boolean => !Number.isNaN(Date.parse(value));

/** Formats that kube-apiserver checks. */
const FORMATS: Readonly<Record<string, (value: string) => boolean>> = {
  'date-time': (value) =>
    /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[-+]\d\d:\d\d)$/.test(value) && isDate(value),
  date: (value) => /^\d{4}-\d\d-\d\d$/.test(value) && isDate(value),
  duration: (value) => DURATION.test(value),
  uri: isUri,
  ipv4: (value) => isIP(value) === 4,
  ipv6: (value) => isIP(value) === 6,
  ip: (value) => isIP(value) !== 0,
  cidr: isCidr,
  uuid: (value) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(value),
  email: (value) => /^[^@\s]+@[^@\s]+$/.test(value),
  hostname: (value) => value.length <= 253 && value.split('.').every((label) => HOST_LABEL.test(label)),
  byte: (value) => /^[A-Za-z0-9+/]*={0,2}$/.test(value) && value.length % 4 === 0,
  'k8s-short-name': isLabel,
  'k8s-long-name': (value) => value.length <= 253 && value.split('.').every(isLabel),
};

/** Whether a string has an OpenAPI format; those that kube-apiserver does not know, or that are for numbers, accept everything. */
export function checkFormat(format: string, value: string): boolean {
  return FORMATS[format]?.(value) ?? true;
}

/** An absolute URI or an absolute path, as Go's url.ParseRequestURI takes it. */
export function isUri(value: string): boolean {
  return value.startsWith('/') || (/^[A-Za-z][A-Za-z0-9+.-]*:/.test(value) && URL.canParse(value));
}

/** An address with a prefix length. */
export function isCidr(value: string): boolean {
  const [address, length, ...rest] = value.split('/');
  const family = isIP(address ?? '');
  return (
    family !== 0 &&
    rest.length === 0 &&
    /^\d+$/.test(length ?? '') &&
    Number(length) <= (family === 4 ? 32 : 128)
  );
}
