import { isIP } from 'node:net';
import type { Faults } from '../faults.ts';
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
import { subdomainFaults } from '../object-meta.ts';
import type { Behaviour } from '../resource.ts';
import { isCidr } from '../schema/formats.ts';

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
  validate(faults, object) {
    for (const [rules, peers] of [
      ['ingress', 'from'],
      ['egress', 'to'],
    ] as const) {
      faults.at('spec').each(rules, objectsAt(object, 'spec', rules), (at, rule) => {
        at.each('ports', objectsAt(rule, 'ports'), portFaults);
        at.each(peers, objectsAt(rule, peers), peerFaults);
      });
    }
  },
};

function portFaults(faults: Faults, { port, endPort }: JsonObject): void {
  if (typeof port !== 'number') return;
  if (port < 1 || port > MAX_PORT)
    faults.invalid('port', port, `must be between 1 and ${MAX_PORT}, inclusive`);
  else if (Number(endPort ?? port) < port)
    faults.invalid('endPort', endPort, 'must be greater than or equal to `port`');
}

function peerFaults(faults: Faults, peer: JsonObject): void {
  const others = isObject(peer.podSelector) || isObject(peer.namespaceSelector);
  if (!isObject(peer.ipBlock)) {
    if (!others) faults.required('', 'must specify a peer');
    return;
  }
  const cidr = stringAt(peer, 'ipBlock', 'cidr');
  if (!isCidr(cidr))
    faults.invalid('ipBlock.cidr', cidr, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)');
  if (others) faults.forbidden('', 'may not specify both ipBlock and another peer');
}

/** Ingresses. */
export const INGRESSES: Behaviour = {
  validate(faults, object) {
    faults.at('spec').each('rules', objectsAt(object, 'spec', 'rules'), (at, rule) => {
      const host = stringAt(rule, 'host');
      if (isIP(host) !== 0) at.invalid('host', host, 'must be a DNS name, not an IP address');
      else if (host !== '') subdomainFaults(at, 'host', host, host.replace(/^\*\./, ''));
      at.each('http.paths', objectsAt(rule, 'http', 'paths'), pathFaults);
    });
  },
};

function pathFaults(faults: Faults, path: JsonObject): void {
  const type = stringAt(path, 'pathType');
  const text = stringAt(path, 'path');
  if (type === '') {
    faults.required('pathType', 'pathType must be specified');
    return;
  }
  if (type !== 'ImplementationSpecific' && !text.startsWith('/'))
    faults.invalid('path', text, 'must be an absolute path');
  const service = objectAt(path, 'backend').service;
  if (!isObject(service)) return;
  if (stringAt(service, 'name') === '') faults.required('backend.service.name');
  const port = objectAt(service, 'port');
  if (stringAt(port, 'name') === '' && numberAt(port, 'number') === undefined)
    faults.required('backend.service.port', 'port name or number is required');
}
