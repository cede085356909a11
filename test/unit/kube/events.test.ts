import { afterEach, beforeEach, expect, test } from 'vitest';
import { EventRecorder } from '../../../operator/kube/events.ts';
import { silentLogger } from '../../../operator/kube/logger.ts';
import { EVENTS } from '../../../operator/kube/resource-types.ts';
import { FakeClock } from './support/fake-clock.ts';
import { MiniApi, ownerNamed } from './support/mini-api.ts';

let api: MiniApi;
let clock: FakeClock;
let abort: AbortController;
let recorder: EventRecorder;
let running: Promise<void>;
let warnings: string[];
beforeEach(async () => {
  warnings = [];
  api = await MiniApi.start();
  clock = new FakeClock();
  abort = new AbortController();
  recorder = new EventRecorder({
    client: api.client(),
    controller: 'example.com/operator',
    instance: 'operator-0',
    clock,
    log: { ...silentLogger, warn: (_fields, message) => void warnings.push(message) },
  });
  running = recorder.run(abort.signal);
});
afterEach(async () => {
  abort.abort();
  await running;
  await api.close();
});

const scaled = (note: string) => ({ type: 'Normal', reason: 'Scaled', action: 'Scale', note }) as const;
const stored = () => api.store.list(EVENTS);

test('an event has all that events.k8s.io/v1 asks for', async () => {
  const widget = ownerNamed('w');
  recorder.emit(widget, { ...scaled('from 0 to 1'), related: ownerNamed('pool') });
  await expect.poll(() => stored().length).toBe(1);
  expect(stored()[0]).toMatchObject({
    metadata: { name: expect.stringMatching(/^w\.[0-9a-f]{16}$/), namespace: 'default' },
    eventTime: '2026-01-01T00:00:00.000000Z',
    reportingController: 'example.com/operator',
    reportingInstance: 'operator-0',
    type: 'Normal',
    reason: 'Scaled',
    action: 'Scale',
    note: 'from 0 to 1',
    regarding: {
      apiVersion: 'example.com/v1',
      kind: 'Widget',
      name: 'w',
      namespace: 'default',
      uid: widget.metadata.uid,
    },
    related: { name: 'pool' },
  });
});

test('a repetition within two minutes is left out', async () => {
  const widget = ownerNamed('w');
  recorder.emit(widget, scaled('one'));
  recorder.emit(widget, scaled('one'));
  recorder.emit(widget, scaled('two'));
  recorder.emit(ownerNamed('w'), scaled('one'));
  await clock.advance(120_000);
  recorder.emit(widget, scaled('one'));
  await expect.poll(() => stored().length).toBe(4);
  expect(stored().map(({ note }) => note)).toEqual(['one', 'two', 'one', 'one']);
});

test('a flood about one object is bounded, and does not silence others', async () => {
  const [loud, quiet] = [ownerNamed('loud'), ownerNamed('quiet')];
  for (let index = 0; index < 10_000; index++) recorder.emit(loud, scaled(`n${index}`));
  recorder.emit(quiet, scaled('once'));
  await expect.poll(() => stored().some(({ note }) => note === 'once')).toBeTruthy();
  expect(stored()).toHaveLength(26);
  await clock.advance(60_000);
  recorder.emit(loud, scaled('later'));
  recorder.emit(loud, scaled('too many'));
  await expect.poll(() => stored().length).toBe(27);
});

test('a flood for one reason does not silence other reasons about the same object', async () => {
  const pool = ownerNamed('pool');
  for (let index = 0; index < 100; index++)
    recorder.emit(pool, { ...scaled(`key ${index}`), reason: 'InvalidAPIKey' });
  recorder.emit(pool, { ...scaled('used up'), reason: 'BudgetExhausted' });
  await expect.poll(() => stored().some(({ note }) => note === 'used up')).toBeTruthy();
  expect(stored()).toHaveLength(26);
});

test('a flood in one namespace leaves room for events of others, and they take turns', async () => {
  const idle = new EventRecorder({ client: api.client(), controller: 'c', instance: 'i', clock });
  const inNamespace = (namespace: string, name: string) => {
    const object = ownerNamed(name);
    return { ...object, metadata: { ...object.metadata, namespace } };
  };
  for (let index = 0; index < 3_000; index++) idle.emit(inNamespace('loud', `w${index}`), scaled('x'));
  idle.emit(inNamespace('quiet', 'w'), scaled('once'));
  const stop = new AbortController();
  stop.abort();
  await idle.run(stop.signal);
  const notes = stored().map(({ note }) => note);
  expect(notes).toHaveLength(251);
  expect(notes.indexOf('once')).toBe(1);
});

test('floods in several namespaces leave room for events of others', async () => {
  const idle = new EventRecorder({ client: api.client(), controller: 'c', instance: 'i', clock });
  const emit = (namespace: string, name: string, note: string) => {
    const object = ownerNamed(name);
    idle.emit({ ...object, metadata: { ...object.metadata, namespace } }, scaled(note));
  };
  for (let index = 0; index < 3_000; index++) emit(`loud-${index % 6}`, `w${index}`, 'x');
  emit('quiet', 'w', 'once');
  const stop = new AbortController();
  stop.abort();
  await idle.run(stop.signal);
  expect(stored().some(({ note }) => note === 'once')).toBe(true);
});

test('an event costs the same however many objects had one before', () => {
  const idle = new EventRecorder({ client: api.client(), controller: 'c', instance: 'i', clock });
  // A look at all that came before, for each, takes far longer than this test may.
  for (let index = 0; index < 90_000; index++) idle.emit(ownerNamed(`w${index}`), scaled('x'));
}, 30_000);

test('no more than a thousand events wait for the API server', async () => {
  const idle = new EventRecorder({ client: api.client(), controller: 'c', instance: 'i', clock });
  for (let index = 0; index < 1_200; index++) {
    const object = ownerNamed(`w${index}`);
    idle.emit({ ...object, metadata: { ...object.metadata, namespace: `team-${index}` } }, scaled('x'));
  }
  const stop = new AbortController();
  stop.abort();
  await idle.run(stop.signal);
  expect(stored()).toHaveLength(1_000);
});

test('what waits at the end is still sent', async () => {
  for (let index = 0; index < 5; index++) recorder.emit(ownerNamed('w'), scaled(`n${index}`));
  abort.abort();
  await running;
  expect(stored()).toHaveLength(5);
});

test('an event that is refused is dropped, the next is sent', async () => {
  let refusals = 1;
  api.fault = () => (refusals-- > 0 ? { status: 403 } : undefined);
  recorder.emit(ownerNamed('w'), scaled('refused'));
  recorder.emit(ownerNamed('w'), scaled('fine'));
  await expect.poll(() => stored().length).toBe(1);
  expect(stored()[0]).toMatchObject({ note: 'fine' });
  expect(warnings).toEqual(['cannot write event']);
});

test.each([
  {
    code: 403,
    reason: 'Forbidden',
    details: {
      causes: [
        { reason: 'NamespaceTerminating', message: 'is being terminated', field: 'metadata.namespace' },
      ],
    },
  },
  { code: 404, reason: 'NotFound', details: { name: 'default', kind: 'namespaces' } },
])(
  'no event in a namespace that is being deleted, or is gone, is nothing to warn of: $code',
  async (status) => {
    let refusals = 1;
    const body = JSON.stringify({ kind: 'Status', ...status });
    api.fault = () => (refusals-- > 0 ? { status: status.code, body } : undefined);
    recorder.emit(ownerNamed('w'), scaled('refused'));
    recorder.emit(ownerNamed('w'), scaled('fine'));
    await expect.poll(() => stored().length).toBe(1);
    expect(warnings).toEqual([]);
  },
);

test('a note is cut to what the server takes, between characters', async () => {
  recorder.emit(ownerNamed('w'), scaled('€'.repeat(1_000)));
  await expect.poll(() => stored().length).toBe(1);
  const note = String(stored()[0]?.note);
  expect(Buffer.byteLength(note)).toBeLessThanOrEqual(1_024);
  expect(note).toMatch(/^€+…$/);
});
