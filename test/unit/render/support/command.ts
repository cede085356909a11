/** A command of the command line, run on files that a test writes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import type { CommandOutput } from '../../../../operator/cli/problems.ts';

/** Writes files into a directory of each test's own; gives their path. */
export function fileWriter(): (name: string, content: string) => string {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'command-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  return (name, content) => {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  };
}

export interface CommandResult {
  code: number;
  out: string;
  err: string;
}

export function withOutput(command: (output: CommandOutput) => number): CommandResult {
  const written: string[] = [];
  const failed: string[] = [];
  const code = command({
    write: (text) => void written.push(text),
    fail: (text) => void failed.push(text),
  });
  return { code, out: written.join(''), err: failed.join('') };
}
