import { stripVTControlCharacters } from 'node:util';

/** Most characters that are read of a log; the kubelet passes on no more than 4 KiB (terminationMessagePolicy). */
const MAX_READ = 4_096;
const MAX_LINES = 6;
const MAX_LENGTH = 700;

/** Process, level, time and source that vLLM writes before each line: they differ from one start to the next. */
const PREFIX =
  /^(\([A-Za-z0-9_ -]{1,40}pid=\d+\) ?)?((DEBUG|INFO|WARNING|ERROR|CRITICAL) \d\d-\d\d \d\d:\d\d:\d\d \[[^\]]{0,80}\] ?)?/;
/** What looks like a credential: a Hugging Face token, a key. */
const SECRETS = /hf_[A-Za-z0-9]{8,}|sk-[A-Za-z0-9_-]{8,}|Bearer [A-Za-z0-9._~+/=-]{8,}/g;
/** The host of a URL, with user and password in front if it has them. */
const AUTHORITY = /:\/\/[^\s/]+/g;

function withoutPassword(authority: string): string {
  const at = authority.lastIndexOf('@');
  return at < 0 ? authority : `://…${authority.slice(at + 1)}`;
}

/**
 * The last lines that a process wrote before it failed, as one line of at most 700 characters for a status. Times, colours
 * and what looks like a credential are left out. Empty when there is nothing to read.
 */
export function logTail(text: string | undefined): string {
  const lines = stripVTControlCharacters((text ?? '').slice(-MAX_READ))
    .split(/[\r\n]+/)
    .map((line) => clean(line.replace(PREFIX, '')))
    .filter((line) => line !== '');
  const tail = lines.slice(-MAX_LINES).join(' | ').replace(SECRETS, '…').replace(AUTHORITY, withoutPassword);
  return tail.length > MAX_LENGTH ? `…${tail.slice(1 - MAX_LENGTH)}` : tail;
}

/** Characters that a terminal acts on become spaces. */
function clean(line: string): string {
  return line.replace(/[\p{Cc}\p{Cf}]+/gu, ' ').trim();
}
