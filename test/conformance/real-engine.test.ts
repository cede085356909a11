import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startEngine } from './real-engine.ts';

test('an engine that is loading and does not hear SIGTERM ends at once with the signal, with its processes', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'real-engine-'));
  const stop = new AbortController();
  onTestFinished(() => {
    stop.abort();
    rmSync(directory, { recursive: true });
  });
  const command = join(directory, 'vllm');
  const pids = join(directory, 'pids');
  const script = `#!/bin/sh\ntrap '' TERM\nsleep 600 &\necho $$ $! > ${pids}.new\nmv ${pids}.new ${pids}\nwait\n`;
  writeFileSync(command, script, { mode: 0o755 });

  const started = startEngine({
    command,
    model: 'tiny-chat',
    args: [],
    log: join(directory, 'log'),
    signal: stop.signal,
  });
  const refused = expect(started).rejects.toThrow('aborted');
  await vi.waitUntil(() => existsSync(pids), { timeout: 60_000 });
  stop.abort();

  await refused;
  const gone = (pid: string) =>
    !existsSync(`/proc/${pid}`) || readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  for (const pid of readFileSync(pids, 'utf8').trim().split(' '))
    await vi.waitUntil(() => gone(pid), { timeout: 60_000 });
});
