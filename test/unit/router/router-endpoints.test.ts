import { expect, it } from 'vitest';
import { routerEndpoints } from '../../../operator/router/router-endpoints.ts';

function pod(name: string, status: object, metadata: object = {}) {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, uid: `uid-${name}`, ...metadata }, status };
}

it('has every router pod with an address: not ready yet and stopping ones too, ended ones not', () => {
  const pods = [
    pod('stopping', { podIP: '10.0.0.2', phase: 'Running' }, { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    pod('new', { podIP: '10.0.0.1', phase: 'Pending', conditions: [{ type: 'Ready', status: 'False' }] }),
    pod('ipv6', { podIP: 'fd00::1', phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }),
    pod('unscheduled', { phase: 'Pending' }),
    pod('failed', { podIP: '10.0.0.3', phase: 'Failed' }),
    pod('ended', { podIP: '10.0.0.4', phase: 'Succeeded' }),
  ];
  expect(routerEndpoints(pods)).toEqual([
    { id: 'uid-ipv6', name: 'ipv6', address: '[fd00::1]:8081', ready: true, stopping: false },
    { id: 'uid-new', name: 'new', address: '10.0.0.1:8081', ready: false, stopping: false },
    { id: 'uid-stopping', name: 'stopping', address: '10.0.0.2:8081', ready: false, stopping: true },
  ]);
});
