import { expect, it } from 'vitest';
import { ApiKeyRoom } from '../../../operator/router/api-key-room.ts';
import {
  type ApiKeyConfigMap,
  MAX_BYTES_PER_NAMESPACE,
  parseApiKeys,
} from '../../../operator/router/api-keys.ts';

const configMap = (uid: string, text: string, namespace = 'team-a'): ApiKeyConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: uid, namespace, uid, resourceVersion: '1' },
  data: { ci: text },
});
const isKept = (room: ApiKeyRoom, uid: string, bytes: number, namespace?: string) =>
  room.trim(configMap(uid, 'x'.repeat(bytes), namespace)).data !== undefined;
const MOST = MAX_BYTES_PER_NAMESPACE;

it('keeps the data, and nothing else that a team can fill', () => {
  const full = configMap('a', 'sha256: x');
  full.metadata.annotations = { note: 'x' };
  full.metadata.finalizers = ['example.com/x'];
  full.metadata.ownerReferences = [{ apiVersion: 'v1', kind: 'x', name: 'x', uid: 'x' }];
  expect(new ApiKeyRoom().trim(full)).toEqual(configMap('a', 'sha256: x'));
});

it('keeps only that a ConfigMap had no room, and its namespace hears what to do', () => {
  const room = new ApiKeyRoom();
  expect(isKept(room, 'a', MOST)).toBe(true);
  const kept = room.trim(configMap('b', 'x'.repeat(MOST)));
  expect(kept.data).toBeUndefined();
  expect(parseApiKeys([kept]).issues).toMatchObject([
    { namespace: 'team-a', configMap: 'b', remedy: expect.stringContaining('change this ConfigMap') },
  ]);
});

it('has room for each namespace, again after an edit or a removal', () => {
  const room = new ApiKeyRoom();
  expect(isKept(room, 'a', MOST)).toBe(true);
  expect(isKept(room, 'b', MOST)).toBe(false);
  expect(isKept(room, 'other', MOST, 'team-b')).toBe(true);
  expect(isKept(room, 'a', 2 * MOST - 2), 'what it had counts no more').toBe(true);
  expect(isKept(room, 'b', 1)).toBe(false);
  room.forget(configMap('a', '').metadata);
  room.forget(configMap('a', '').metadata);
  expect(isKept(room, 'b', MOST)).toBe(true);
});

it('counts the names of entries too', () => {
  const room = new ApiKeyRoom();
  const names = Array.from({ length: 3000 }, (_, i): [string, string] => [`${i}`.padStart(250, 'x'), '']);
  const many = { ...configMap('a', ''), data: Object.fromEntries(names) };
  expect(room.trim(many).data).toBeUndefined();
});
