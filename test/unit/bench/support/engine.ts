/** A simulated engine in the process of the test, a thousand times as fast as a real one. */
import { onTestFinished } from 'vitest';
import { createSimServer, type SimServer } from '../../../../hack/vllm-sim/sim-server.ts';

export const MODEL = 'org/sim';

/** Starts an engine that is closed after the test. */
export async function startEngine(args: readonly string[] = []): Promise<SimServer> {
  const server = await createSimServer({
    args: [MODEL, '--host', '127.0.0.1', '--port', '0', ...args],
    env: { VLLM_SIM_TIME_SCALE: '0.001', VLLM_SIM_STARTUP_SECONDS: '0' },
  });
  onTestFinished(() => server.close());
  return server;
}

/** Changes how it fails, as `POST /sim/control` of its README. */
export async function control({ url }: SimServer, change: object): Promise<void> {
  await fetch(`${url}/sim/control`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(change),
  });
}
