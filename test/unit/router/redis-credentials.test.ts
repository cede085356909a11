import { expect, it } from 'vitest';
import { redisCredentials } from '../../../operator/router/redis-credentials.ts';

const rootKey = new Uint8Array(32).fill(7);

it('derives the same password for the same pool, for good: a change here would lock routers out on upgrade', () => {
  expect(redisCredentials(rootKey, { uid: 'pool-uid' })).toEqual({
    username: 'router',
    password: '-0V9IQ8_5gsuNE79HirMGCcrs2GEfU5UeqksP_TuvuQ',
    passwordSha256: '83f13b1383994f93ffc977ebf0de4b56ed3d5b637632f0dd63b674a27e9ee14f',
  });
});

it('derives another one for another pool, epoch or root key', () => {
  const passwords = [
    redisCredentials(rootKey, { uid: 'a' }),
    redisCredentials(rootKey, { uid: 'b' }),
    redisCredentials(rootKey, { uid: 'a', epoch: 1 }),
    redisCredentials(new Uint8Array(32).fill(8), { uid: 'a' }),
  ].map(({ password }) => password);
  expect(new Set(passwords).size).toBe(4);
  expect(redisCredentials(rootKey, { uid: 'a', epoch: 0 }).password).toBe(passwords[0]);
});

it('refuses a pool without UID', () => {
  expect(() => redisCredentials(rootKey, { uid: '' })).toThrow(/pool\.uid/);
});
