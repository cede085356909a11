/** Waits for conditions instead of times. */

/** Resolves when the condition holds; rejects after ten seconds with what it said last. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what = 'the condition',
): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > end) {
      throw new Error(`${what} did not come true within 10 s`);
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
