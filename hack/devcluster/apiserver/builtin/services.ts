import { randomInt } from 'node:crypto';
import { isIP } from 'node:net';
import type { AddressPool } from '../../network/address-pool.ts';
import type { ApiObject } from '../api-object.ts';
import type { Faults } from '../faults.ts';
import {
  ensureObject,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  setDefault,
  stringAt,
  stringsAt,
} from '../json.ts';
import type { Behaviour } from '../resource.ts';

const FIRST_NODE_PORT = 30_000;
const NODE_PORTS = 2768;

/** Services: each gets an address of the range unless it is headless or an external name. */
export function servicesBehaviour(range: AddressPool): Behaviour {
  return {
    default: defaultService,
    prepare(object, old) {
      if (old) keepAllocated(object, old);
    },
    allocate(object) {
      const spec = ensureObject(object, 'spec');
      if (spec.type === 'ExternalName') return;
      if (stringAt(spec, 'clusterIP') === '') spec.clusterIP = range.take();
      else range.reserve(stringAt(spec, 'clusterIP'));
      setDefault(spec, 'clusterIPs', [spec.clusterIP ?? '']);
      setDefault(spec, 'ipFamilies', ['IPv4']);
      setDefault(spec, 'ipFamilyPolicy', 'SingleStack');
      allocateNodePorts(spec);
    },
    validate: (faults, object, old) => serviceFaults(faults.at('spec'), object, old),
    deleted(object) {
      range.release(stringAt(object, 'spec', 'clusterIP'));
    },
  };
}

function defaultService(object: ApiObject): void {
  const spec = ensureObject(object, 'spec');
  setDefault(spec, 'type', 'ClusterIP');
  setDefault(spec, 'sessionAffinity', 'None');
  for (const port of objectsAt(spec, 'ports')) {
    setDefault(port, 'protocol', 'TCP');
    if (port.targetPort === undefined && port.port !== undefined) port.targetPort = port.port;
  }
  if (spec.type === 'ExternalName') return;
  setDefault(spec, 'internalTrafficPolicy', 'Cluster');
  if (spec.type === 'NodePort' || spec.type === 'LoadBalancer')
    setDefault(spec, 'externalTrafficPolicy', 'Cluster');
  if (spec.type === 'LoadBalancer') setDefault(spec, 'allocateLoadBalancerNodePorts', true);
}

/** Restores allocated addresses and ports that an update leaves out. */
function keepAllocated(object: ApiObject, old: ApiObject): void {
  const spec = ensureObject(object, 'spec');
  const before = objectAt(old, 'spec');
  if (spec.type === 'ExternalName') return;
  for (const key of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy']) {
    const value = before[key];
    if (value !== undefined && spec[key] === undefined) spec[key] = value;
  }
  const ports = objectsAt(before, 'ports');
  if (spec.type === 'ClusterIP') return;
  for (const port of objectsAt(spec, 'ports')) {
    const known = ports.find((each) => each.port === port.port && each.protocol === port.protocol);
    if (known?.nodePort !== undefined) setDefault(port, 'nodePort', known.nodePort);
  }
}

function allocateNodePorts(spec: JsonObject): void {
  if (spec.type !== 'NodePort' && spec.type !== 'LoadBalancer') return;
  for (const port of objectsAt(spec, 'ports'))
    setDefault(port, 'nodePort', FIRST_NODE_PORT + randomInt(NODE_PORTS));
}

function serviceFaults(faults: Faults, object: ApiObject, old: ApiObject | undefined): void {
  const spec = objectAt(object, 'spec');
  const address = stringAt(spec, 'clusterIP');
  if (address !== '' && address !== 'None' && isIP(address) === 0) {
    const why = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
    faults.invalid('clusterIPs[0]', address, why);
    return;
  }
  const ports = objectsAt(spec, 'ports');
  if (ports.length === 0 && address !== 'None' && spec.type !== 'ExternalName') faults.required('ports');
  faults.each('ports', ports, (at, port) => {
    const number = numberAt(port, 'port') ?? 0;
    if (ports.length > 1 && stringAt(port, 'name') === '') at.required('name');
    if (number < 1 || number > 65535) at.invalid('port', number, 'must be between 1 and 65535, inclusive');
    if (!old && spec.type === 'ClusterIP' && port.nodePort !== undefined)
      at.forbidden('nodePort', "may not be used when `type` is 'ClusterIP'");
  });
  if (spec.type === 'ExternalName' && stringAt(spec, 'externalName') === '') faults.required('externalName');
  const primary = stringAt(old, 'spec', 'clusterIP');
  if (primary !== '' && spec.type !== 'ExternalName' && address !== primary)
    faults.invalid('clusterIPs[0]', stringsAt(spec, 'clusterIPs'), 'may not change once set');
}
