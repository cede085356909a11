/** API keys for requests that a command sends. An argument would show in the list of processes, so none has a key. */
import { readText } from './read-text.ts';

/** The key in a file. Throws RangeError with the flag and the reason, without the content. */
export function readApiKey(flag: string, file: string): string {
  let content: string;
  try {
    content = readText(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RangeError(`${flag} ${file}: cannot be read: ${reason}`);
  }
  const key = content.trim();
  if (/^[\x21-\x7e]{1,4096}$/.test(key)) return key;
  throw new RangeError(`${flag} ${file}: it is no key; write one line of ASCII without spaces`);
}
