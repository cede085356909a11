import { vi } from 'vitest';

/** Repeats an assertion until it holds, for what happens soon after an answer. */
export async function eventually(assertion: () => Promise<void>): Promise<void> {
  await vi.waitFor(assertion, { timeout: 10_000, interval: 20 });
}
