/** Client libraries against the router and simulated engines, as far as a machine with nothing but npm has them. */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SimServer } from '../../hack/vllm-sim/sim-server.ts';
import { PROGRAMS } from './programs.ts';
import { runProgram } from './run-program.ts';
import { commandOf } from './runtimes.ts';
import { simulatedEngines } from './simulated-engines.ts';
import { World } from './world.ts';

let engines: Record<'chat' | 'embed', SimServer>;
let world: World;

beforeAll(async () => {
  engines = await simulatedEngines();
  world = await World.start({ chat: engines.chat.url, embed: engines.embed.url });
});
afterAll(async () => {
  await world?.close();
  await Promise.all(Object.values(engines ?? {}).map(async (engine) => await engine.close()));
});

const noCurl = spawnSync('curl', ['--version']).error !== undefined;

for (const program of PROGRAMS.filter(({ runtime }) => runtime === 'node' || runtime === 'curl')) {
  test.skipIf(program.runtime === 'curl' && noCurl)(program.name, async ({ signal }) => {
    const command = await commandOf(program, signal);
    await expect(runProgram(program, command, world, signal)).resolves.toBeDefined();
  });
}
