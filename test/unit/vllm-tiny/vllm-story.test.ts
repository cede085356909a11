import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { vllmStory } from '../../../hack/demo/vllm-story.ts';

test('a cache directory that engines cannot see is refused before anything is installed', async () => {
  const directory = mkdtempSync('/tmp/vllm-story-');
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(directory, { recursive: true });
  });
  const environments = join(directory, 'environments');
  vi.stubEnv('VLLM_ENVIRONMENTS', environments);
  vi.stubEnv('PATH', directory);

  await expect(vllmStory.cluster(new AbortController().signal)).rejects.toThrow(
    `${environments}/tiny-models: engines have a /tmp/ of their own`,
  );

  expect(existsSync(environments)).toBe(false);
});
