import { expect, test } from 'vitest';
import { runInNginx } from './support/run-in-nginx.ts';

test('the work of every parser of client input grows with its size, not with its square', async () => {
  const lines = (await runInNginx('growth.lua')).trim().split('\n');
  expect(lines.length).toBeGreaterThan(10);
  for (const line of lines) {
    const [name, once, twice, four] = line.split('\t');
    expect(Number(twice), name).toBeLessThan(2.5 * Number(once));
    expect(Number(four), name).toBeLessThan(5 * Number(once));
  }
});

test('buffered parts of an event take memory by bytes, not by number of chunks', async () => {
  const [event, object] = (await runInNginx('pieces.lua')).split('\t').map(Number);
  expect(event).toBeLessThan(128);
  expect(object).toBeLessThan(16);
});

test('the list for a key with few models takes the same work however many models the pool has', async () => {
  const lines = (await runInNginx('model-list.lua')).trim().split('\n');
  const [few, many] = lines.map((line) => line.split('\t').map(Number));
  expect(few?.[1]).toBe(1);
  expect(many).toEqual(few);
});

test('metrics take a fifth of the time of a worker, however many ask, and none are older than the question', async () => {
  const [busy, stale] = (await runInNginx('scrapes.lua')).split('\t').map(Number);
  expect(busy).toBeGreaterThan(1);
  expect(busy).toBeLessThan(2.1);
  expect(stale).toBe(0);
});

test('batching windows are counted without taking the memory of the route table', async () => {
  const [keys, windows] = (await runInNginx('batch-windows.lua')).split('\t').map(Number);
  expect(keys).toBe(0);
  expect(windows).toBe(10_000);
});
