import { stripVTControlCharacters } from 'node:util';
import { withoutCredentials } from './without-credentials.ts';

/** Longest quote from a scheduler, container runtime, kubelet or admission plugin, in characters. */
const MAX_QUOTE = 400;
/** Longest text that is read for one. Spaces and credentials in it take no room in the quote. */
const MAX_READ = 4_096;

/** A text of another component as one line of at most 400 characters, without what looks like a credential. */
export function quote(text: string): string {
  const line = withoutCredentials(withoutControls(stripVTControlCharacters(text.slice(0, MAX_READ))));
  return line.length > MAX_QUOTE ? `${line.slice(0, MAX_QUOTE)}…` : line;
}

/** Replaces white space and control characters, which a terminal would interpret, with single spaces. */
export function withoutControls(text: string): string {
  return text.replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ').trim();
}
