import { expect, it } from 'vitest';
import { podEndpoints } from '../../../../operator/controllers/routes/pod-endpoints.ts';
import type { Pod } from '../../../../operator/controllers/shared/workloads.ts';
import type { EndpointSlice } from '../../../../operator/router/endpoints-from-slices.ts';

const engine: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'engine', namespace: 'team-a', uid: 'engine-uid' },
  spec: {},
  status: { podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] },
};

function addresses(...endpoints: NonNullable<EndpointSlice['endpoints']>): (string | undefined)[] {
  return addressesOf(engine, ...endpoints);
}

function addressesOf(
  pod: Pod,
  ...endpoints: NonNullable<EndpointSlice['endpoints']>
): (string | undefined)[] {
  const slice: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'slice', namespace: 'team-a' },
    addressType: 'IPv4',
    endpoints,
  };
  return podEndpoints([slice], [pod]).flatMap(({ endpoints: kept }) =>
    (kept ?? []).map(({ addresses: [address] }) => address),
  );
}

it('are those with the address of the pod, in either IP family', () => {
  const targetRef = { uid: 'engine-uid' };
  expect(addresses({ addresses: ['10.0.0.1'], targetRef }, { addresses: ['fd00::1'], targetRef })).toEqual([
    '10.0.0.1',
    'fd00::1',
  ]);
});

it.each([
  ['another address, such as a cloud’s metadata service', ['169.254.169.254'], 'engine-uid'],
  ['the address of a pod that is not the model’s', ['10.0.0.9'], 'other-uid'],
  ['no pod', ['10.0.0.1'], undefined],
  ['no address', [], 'engine-uid'],
])('are not those that a hand-made slice has with %s', (_, listed, uid) => {
  expect(addresses({ addresses: listed, ...(uid !== undefined && { targetRef: { uid } }) })).toEqual([]);
});

it.each(['Succeeded', 'Failed'])(
  'are not those of a pod that has %s, whose address another pod may have now',
  (phase) => {
    const finished = { ...engine, status: { ...engine.status, phase } };
    expect(addressesOf(finished, { addresses: ['10.0.0.1'], targetRef: { uid: 'engine-uid' } })).toEqual([]);
  },
);
