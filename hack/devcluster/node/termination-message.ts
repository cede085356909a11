import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container } from '../kinds.ts';

/** Limits of kubelet for a message from the file and one from the log. */
const FILE_BYTES = 4096;
const LOG_BYTES = 2048;
const LOG_LINES = 80;

/** Name of the file in the container's directory that replaces its `terminationMessagePath`. */
export const TERMINATION_LOG = 'termination-log';

/** What a container that has exited says about it: its termination message file, else the end of its log if the pod asks for that. */
export async function terminationMessage(
  container: Container,
  directory: string,
  logFile: string,
  exitCode: number,
): Promise<string> {
  const message = await readFile(join(directory, TERMINATION_LOG), 'utf8').catch(() => '');
  if (message || exitCode === 0 || container.terminationMessagePolicy !== 'FallbackToLogsOnError') {
    return message.slice(0, FILE_BYTES);
  }
  const file = await open(logFile, 'r');
  try {
    const { size } = await file.stat();
    const length = Math.min(size, LOG_BYTES);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8').split('\n').slice(-LOG_LINES).join('\n');
  } finally {
    await file.close();
  }
}
