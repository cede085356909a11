/** The files of experiments in a directory. */
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Experiment, experimentSchema, type Sweep } from './experiment.ts';

/** Larger files are not read. */
const MAX_BYTES = 64 * 2 ** 20;

const NAME = /^(\d{4}-\d{2}-\d{2}_run\d{2,})_([a-z0-9-]+)\.json$/;

export class ExperimentStore {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** The name of a new run, such as `2026-11-28_run03`: the next free number of a day. */
  newRun(nowMs: number): string {
    const date = new Date(nowMs).toISOString().slice(0, 10);
    const numbers = this.#files().flatMap(({ run }) =>
      run.startsWith(`${date}_`) ? Number(run.slice(14)) : [],
    );
    return `${date}_run${String(Math.max(0, ...numbers) + 1).padStart(2, '0')}`;
  }

  /** The experiments of the latest run with the same sweep; empty if there is none. Files of other kinds are ignored. */
  latest(sweep: Sweep): Experiment[] {
    const files = this.#files();
    const runs = [...new Set(files.map(({ run }) => run))].sort(byAge).reverse();
    for (const run of runs) {
      const experiments = files
        .filter((file) => file.run === run)
        .flatMap(({ path }) => this.#read(path) ?? []);
      if (experiments.length > 0 && experiments.every((each) => isDeepStrictEqual(each.sweep, sweep)))
        return experiments;
    }
    return [];
  }

  /** Writes an experiment. A reader, or a crash, never sees a part of it. */
  save(experiment: Experiment): void {
    this.write(
      `${experiment.run}_${experiment.profile.name}.json`,
      `${JSON.stringify(experiment, null, 2)}\n`,
    );
  }

  /** Writes a file, and returns its path. */
  write(name: string, content: string): string {
    const path = join(this.directory, name);
    mkdirSync(this.directory, { recursive: true });
    writeFileSync(`${path}.partial`, content);
    renameSync(`${path}.partial`, path);
    return path;
  }

  #files(): { run: string; path: string }[] {
    let names: string[];
    try {
      names = readdirSync(this.directory);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
    return names.sort().flatMap((name) => {
      const run = NAME.exec(name)?.[1];
      return run === undefined ? [] : { run, path: join(this.directory, name) };
    });
  }

  #read(path: string): Experiment | undefined {
    if (statSync(path).size > MAX_BYTES) return undefined;
    try {
      return experimentSchema.safeParse(JSON.parse(readFileSync(path, 'utf8'))).data;
    } catch (error) {
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
  }
}

function byAge(a: string, b: string): number {
  return a.slice(0, 10).localeCompare(b.slice(0, 10)) || Number(a.slice(14)) - Number(b.slice(14));
}
