import { stripVTControlCharacters } from 'node:util';
import { withoutControls } from './quote.ts';
import { withoutCredentials } from './without-credentials.ts';

/** Longest part of a log that is read, in characters. The kubelet passes on at most 4 KiB (terminationMessagePolicy). */
const MAX_READ = 4_096;
const MAX_LINES = 6;
const MAX_LENGTH = 700;

/** Process, level, time and source that vLLM writes before each line. They differ between starts. */
const PREFIX =
  /^(\([A-Za-z0-9_ -]{1,40}pid=\d+\) ?)?((DEBUG|INFO|WARNING|ERROR|CRITICAL) \d\d-\d\d \d\d:\d\d:\d\d \[[^\]]{0,80}\] ?)?/;

/**
 * The last lines that a process logged before it failed, as one line of at most 700 characters for a status message.
 * Times, colours and anything that looks like a credential are removed. Empty if there is nothing to show.
 */
export function logTail(text: string | undefined): string {
  const lines = stripVTControlCharacters((text ?? '').slice(-MAX_READ))
    .split(/[\r\n]+/)
    .map((line) => withoutControls(line.replace(PREFIX, '')))
    .filter((line) => line !== '');
  const tail = withoutCredentials(lines.slice(-MAX_LINES).join(' | '));
  return tail.length > MAX_LENGTH ? `…${tail.slice(1 - MAX_LENGTH)}` : tail;
}
