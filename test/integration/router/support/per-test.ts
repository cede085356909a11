import { afterEach } from 'vitest';
import { type Engine, startEngine } from './engine.ts';
import { type Router, type RouterOptions, startRouter } from './router.ts';

export interface PerTest {
  engine: (at?: { host: string; port: number }) => Promise<Engine>;
  start: (options?: RouterOptions) => Promise<Router>;
  /** Has something else end after the test too. */
  keep: <T extends { close(): Promise<unknown> }>(item: T) => T;
}

/** Engines and routers of the tests of one suite: each ends after the test that started it. Call it where the suite is described. */
export function perTest(): PerTest {
  const started: { close(): Promise<unknown> }[] = [];
  afterEach(async () => {
    await Promise.all(started.splice(0).map(async (item) => await item.close()));
  });
  const keep = <T extends { close(): Promise<unknown> }>(item: T): T => {
    started.push(item);
    return item;
  };
  return {
    engine: async (at) => keep(await startEngine(at)),
    start: async (options = {}) => keep(await startRouter(options)),
    keep,
  };
}
