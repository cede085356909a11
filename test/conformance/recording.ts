import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { EngineName } from './engines.ts';
import type { Observation } from './normalise.ts';
import type { Ending } from './scenarios.ts';

/** What a version of vLLM answered; in test/vllm-sim/recordings/VERSION/ENGINE.json. */
export interface Recording {
  /** What /health said while it loaded. */
  whileLoading: string[];
  answers: Record<string, Observation>;
  /** Of the chat engine only. */
  scenarios?: Scenarios;
}

export interface Scenarios {
  /** Statuses of twice as many requests as run at once. */
  underLoad: number[];
  clientGoesAway: string;
  terminated: Ending;
  terminatedWithTimeout: Ending;
}

const FOLDER = fileURLToPath(new URL('../vllm-sim/recordings/', import.meta.url));

export function recordedVersions(): string[] {
  return existsSync(FOLDER) ? readdirSync(FOLDER).sort() : [];
}

export function readRecording(version: string, engine: EngineName): Recording {
  return JSON.parse(readFileSync(`${FOLDER}${version}/${engine}.json`, 'utf8')) as Recording;
}

/** One line for each answer, so that changes can be read. */
export function writeRecording(version: string, engine: EngineName, recording: Recording): string {
  const { answers, ...rest } = recording;
  const lines = Object.entries(answers).map(
    ([name, answer]) => `${JSON.stringify(name)}: ${JSON.stringify(answer)}`,
  );
  const head = JSON.stringify(rest).slice(0, -1);
  const file = `${FOLDER}${version}/${engine}.json`;
  mkdirSync(`${FOLDER}${version}`, { recursive: true });
  writeFileSync(file, `${head},"answers":{\n${lines.join(',\n')}\n}}\n`);
  return file;
}
