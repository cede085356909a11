import { isIP } from 'node:net';
import {
  arrayAt,
  ensureObject,
  isObject,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  setDefault,
  stringAt,
} from '../json.ts';
import { fieldInvalid, fieldRequired, subdomainFaults } from '../object-meta.ts';
import type { Behaviour } from '../resource.ts';
import type { Cause } from '../status-error.ts';

const MAX_PORT = 65_535;

/** NetworkPolicies. */
export const NETWORK_POLICIES: Behaviour = {
  default(object) {
    const spec = ensureObject(object, 'spec');
    if (arrayAt(spec, 'policyTypes').length === 0)
      spec.policyTypes = arrayAt(spec, 'egress').length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
    for (const rule of [...objectsAt(spec, 'ingress'), ...objectsAt(spec, 'egress')]) {
      for (const port of objectsAt(rule, 'ports')) setDefault(port, 'protocol', 'TCP');
    }
  },
  validate(object) {
    const causes: Cause[] = [];
    for (const [rules, peers] of [
      ['ingress', 'from'],
      ['egress', 'to'],
    ] as const) {
      objectsAt(object, 'spec', rules).forEach((rule, index) => {
        const at = `spec.${rules}[${index}]`;
        objectsAt(rule, 'ports').forEach((port, each) => {
          causes.push(...portFaults(port, `${at}.ports[${each}]`));
        });
        objectsAt(rule, peers).forEach((peer, each) => {
          causes.push(...peerFaults(peer, `${at}.${peers}[${each}]`));
        });
      });
    }
    return causes;
  },
};

function portFaults(port: JsonObject, at: string): Cause[] {
  const number = port.port;
  if (typeof number !== 'number') return [];
  if (number < 1 || number > MAX_PORT)
    return [fieldInvalid(`${at}.port`, number, `must be between 1 and ${MAX_PORT}, inclusive`)];
  const end = numberAt(port, 'endPort');
  if (end === undefined || end >= number) return [];
  return [fieldInvalid(`${at}.endPort`, end, 'must be greater than or equal to `port`')];
}

function peerFaults(peer: JsonObject, at: string): Cause[] {
  const causes: Cause[] = [];
  const others = isObject(peer.podSelector) || isObject(peer.namespaceSelector);
  if (!isObject(peer.ipBlock)) return others ? [] : [fieldRequired(at, 'must specify a peer')];
  const cidr = stringAt(peer, 'ipBlock', 'cidr');
  if (!isCidr(cidr)) {
    const why = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';
    causes.push(fieldInvalid(`${at}.ipBlock.cidr`, cidr, why));
  }
  if (others) {
    const message = 'Forbidden: may not specify both ipBlock and another peer';
    causes.push({ reason: 'FieldValueForbidden', field: at, message });
  }
  return causes;
}

function isCidr(text: string): boolean {
  const [, address = '', length = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const family = isIP(address);
  return family !== 0 && Number(length) <= (family === 4 ? 32 : 128);
}

/** Ingresses. */
export const INGRESSES: Behaviour = {
  validate(object) {
    const causes: Cause[] = [];
    objectsAt(object, 'spec', 'rules').forEach((rule, index) => {
      const at = `spec.rules[${index}]`;
      const host = stringAt(rule, 'host');
      if (isIP(host) !== 0)
        causes.push(fieldInvalid(`${at}.host`, host, 'must be a DNS name, not an IP address'));
      else if (host !== '') causes.push(...subdomainFaults(`${at}.host`, host, host.replace(/^\*\./, '')));
      objectsAt(rule, 'http', 'paths').forEach((path, each) => {
        causes.push(...pathFaults(path, `${at}.http.paths[${each}]`));
      });
    });
    return causes;
  },
};

function pathFaults(path: JsonObject, at: string): Cause[] {
  const type = stringAt(path, 'pathType');
  if (type === '') return [fieldRequired(`${at}.pathType`, 'pathType must be specified')];
  const causes: Cause[] = [];
  const text = stringAt(path, 'path');
  if (type !== 'ImplementationSpecific' && !text.startsWith('/'))
    causes.push(fieldInvalid(`${at}.path`, text, 'must be an absolute path'));
  const service = objectAt(path, 'backend').service;
  if (!isObject(service)) return causes;
  if (stringAt(service, 'name') === '') causes.push(fieldRequired(`${at}.backend.service.name`));
  const port = objectAt(service, 'port');
  if (stringAt(port, 'name') === '' && numberAt(port, 'number') === undefined)
    causes.push(fieldRequired(`${at}.backend.service.port`, 'port name or number is required'));
  return causes;
}
