/** Reads results of `bench`: files that `--result` or `-o json` has written. */
import { z } from 'zod';
import { type LoadResult, loadResultSchema } from '../bench/load-result.ts';
import { printable } from '../values/printable.ts';
import { readText } from './read-text.ts';

/** Reads a result (`-` is standard input). Throws RangeError with file and reason. */
export function readLoadResult(file: string): LoadResult {
  const parsed = loadResultSchema.safeParse(contentOf(file));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = z.core.toDotPath(issue?.path ?? []);
  throw new RangeError(
    `${file}: ${printable(`${field}: ${issue?.message}`)}; pass a file that bench --result has written`,
  );
}

/** With `--against`, JSON on the standard output has the result as a field. */
function contentOf(file: string): unknown {
  try {
    const content: unknown = JSON.parse(readText(file));
    return typeof content === 'object' && content !== null && 'result' in content ? content.result : content;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RangeError(`${file}: cannot be read as JSON: ${printable(reason)}`);
  }
}
