import { isIP } from 'node:net';

const DURATION =
  /^[-+]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*$|^[-+]?0$/;
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/**
 * Whether a string has an OpenAPI format that kube-apiserver checks. Formats that it does not know (or
 * that are for numbers) accept everything.
 */
export function checkFormat(format: string, value: string): boolean {
  switch (format) {
    case 'date-time':
      return (
        /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[-+]\d\d:\d\d)$/.test(value) &&
        !Number.isNaN(Date.parse(value))
      );
    case 'date':
      return /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value));
    case 'duration':
      return DURATION.test(value);
    case 'uri':
      return isUri(value);
    case 'ipv4':
      return isIP(value) === 4;
    case 'ipv6':
      return isIP(value) === 6;
    case 'ip':
      return isIP(value) !== 0;
    case 'cidr':
      return isCidr(value);
    case 'uuid':
      return /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(value);
    case 'email':
      return /^[^@\s]+@[^@\s]+$/.test(value);
    case 'hostname':
      return (
        value.length <= 253 &&
        value.split('.').every((label) => /^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?$/.test(label))
      );
    case 'byte':
      return /^[A-Za-z0-9+/]*={0,2}$/.test(value) && value.length % 4 === 0;
    case 'k8s-short-name':
      return DNS_LABEL.test(value);
    case 'k8s-long-name':
      return value.length <= 253 && value.split('.').every((label) => DNS_LABEL.test(label));
    default:
      return true;
  }
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
