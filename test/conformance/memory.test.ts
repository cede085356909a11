import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { environmentOf } from '../../hack/vllm/environment.ts';
import { memoryCases, recordMemory } from './memory.ts';

test('a version is not asked for what it does not start with; the user reads why, and what to record instead', () => {
  const { cases, leftOut } = memoryCases('0.28.0');

  expect(leftOut).toEqual([
    'latent attention: left out, as vLLM 0.28.0 does not start with it (vLLM 0.28 imports FlashAttention for it, which it has for GPUs only); record 0.32 or newer for it',
  ]);
  expect(cases.map(([name]) => name)).not.toContain('latent attention');
  expect(memoryCases('0.32.0')).toMatchObject({ cases: { length: cases.length + 1 }, leftOut: [] });
});

test('an engine that does not start is named with its version, its log and what to do', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'vllm-memory-test-'));
  vi.stubEnv('VLLM_ENVIRONMENTS', directory);
  vi.spyOn(console, 'log').mockImplementation(() => undefined);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
    rmSync(directory, { recursive: true });
  });
  const bin = join(environmentOf('0.28.0'), 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(environmentOf('0.28.0'), 'installed'), '');
  writeFileSync(join(bin, 'vllm'), '#!/bin/sh\necho "ValueError: no such attention"\nexit 1\n', {
    mode: 0o755,
  });

  await expect(recordMemory('0.28.0', new AbortController().signal)).rejects.toMatchObject({
    message: expect.stringMatching(
      /^chat: vLLM 0\.28\.0 does not start with it, so nothing was recorded;.*Record another version/,
    ),
    cause: { message: expect.stringContaining('ValueError: no such attention') },
  });
});
