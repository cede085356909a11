import { it, expect } from 'vitest';
import { podEndpoints } from '../../operator/controllers/routes/pod-endpoints.ts';
import { EventRecorder } from '../../operator/kube/events.ts';
import { FakeClock } from './kube/support/fake-clock.ts';
import { trimConfigMap } from '../../operator/controllers/shared/trim-config-map.ts';
import { AuthorityStore } from '../../operator/pki/authority-store.ts';
import { Identity } from '../../operator/pki/identity.ts';
import { KubeError } from '../../operator/kube/errors.ts';

it('finished pod address', () => {
  const pod: any = { metadata: { uid: 'u', namespace: 'a', name: 'p' }, spec: {}, status: { phase: 'Succeeded', podIP: '10.0.0.7' } };
  const slice: any = { addressType: 'IPv4', ports: [{ name: 'http', port: 6379 }], endpoints: [{ addresses: ['10.0.0.7'], targetRef: { uid: 'u' }, conditions: { ready: true } }] };
  console.log('FINISHED', JSON.stringify(podEndpoints([slice], [pod])[0].endpoints));
});
it('events of the pool', async () => {
  const sent: any[] = [];
  const clock = new FakeClock();
  const r = new EventRecorder({ client: { create: async (_t: any, o: any) => { sent.push(o); return o; } } as any, controller: 'c', instance: 'i', clock });
  const pool: any = { kind: 'InferencePool', apiVersion: 'v', metadata: { name: 'p', namespace: 'n', uid: 'pool' } };
  for (let i = 0; i < 40; i++) r.emit(pool, { type: 'Warning', reason: 'InvalidAPIKey', action: 'ReadAPIKeys', note: `entry ${i}` });
  r.emit(pool, { type: 'Warning', reason: 'BudgetExhausted', action: 'AccountUsage', note: 'x' });
  const stop = new AbortController(); stop.abort();
  await r.run(stop.signal);
  console.log('EVENTS', sent.length, sent.filter(e => e.reason === 'BudgetExhausted').length);
  // other namespaces
  const sent2: any[] = [];
  const r2 = new EventRecorder({ client: { create: async (_t: any, o: any) => { sent2.push(o); return o; } } as any, controller: 'c', instance: 'i', clock });
  for (let i = 0; i < 1100; i++) r2.emit({ kind: 'M', apiVersion: 'v', metadata: { name: 'm' + i, namespace: 'a', uid: 'm' + i } } as any, { type: 'Warning', reason: 'QuotaExceeded', action: 'Reconcile', note: 'n' });
  r2.emit({ kind: 'M', apiVersion: 'v', metadata: { name: 'v', namespace: 'b', uid: 'v' } } as any, { type: 'Warning', reason: 'EngineCrashed', action: 'Reconcile', note: 'n' });
  await r2.run(stop.signal);
  console.log('EVENTS2', sent2.length, sent2.filter(e => e.reason === 'EngineCrashed').length);
});
it('cm', () => {
  const cm: any = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', namespace: 'a', deletionTimestamp: 'now', finalizers: ['a/b'], labels: { 'vllm-operator.dev/pool-namespace': 'a' }, ownerReferences: [{ kind: 'InferencePool', uid: 'none', name: 'p', apiVersion: 'v' }] }, data: { a: 'x'.repeat(1e6) } };
  console.log('CM', JSON.stringify(trimConfigMap(cm)).length);
});
it('identity', async () => {
  let secret: any; let fail = false;
  const client: any = {
    get: async () => { if (fail) throw new KubeError({ code: 'Forbidden', status: 403, message: 'no' } as any); if (!secret) throw new KubeError({ code: 'NotFound', status: 404, message: 'x' } as any); return structuredClone(secret); },
    create: async (_t: any, o: any) => { secret = structuredClone({ ...o, metadata: { ...o.metadata, resourceVersion: '1' } }); return secret; },
    patch: async (_t: any, _k: any, p: any) => { const d = { ...secret.data, ...p.merge.data }; for (const k in d) if (d[k] === null) delete d[k]; secret = { ...secret, data: d }; return secret; },
  };
  const clock = new FakeClock();
  const id = new Identity({ store: new AuthorityStore({ client, namespace: 'ns', now: () => new Date(clock.now()) }), clock });
  const s = new AbortController().signal;
  const a = await id.clientCertificate(s);
  const good = structuredClone(secret);
  for (const [what, garble] of Object.entries({
    cakey: () => { secret.data['ca.key'] = 'AAAA'; }, rootkey: () => { secret.data['root.key'] = 'AAAA'; }, cacrt: () => { secret.data['ca.crt'] = Buffer.from('x').toString('base64'); },
    previous: () => { secret.data['previous.crt'] = Buffer.from('-----BEGIN CERTIFICATE-----\nxxxx\n-----END CERTIFICATE-----\n').toString('base64'); },
    empty: () => { secret.data = {}; }, nodata: () => { delete secret.data; }, forbidden: () => { fail = true; }, deleted: () => { secret = undefined; },
    nextOnlyCrt: () => { secret.data['next.crt'] = secret.data['ca.crt']; },
  })) {
    secret = structuredClone(good); fail = false; garble();
    await clock.advance(3_700_000);
    try { const c = await id.clientCertificate(s); const t = (await id.authority(s)).trustBundle; console.log('ID', what, 'ok', c === a ? 'same' : 'new', t.slice(0, 40).replace(/\n/g, '|'), t.length); }
    catch (e: any) { console.log('ID', what, 'throws', e.message.slice(0, 120)); }
  }
});
