import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installVllm } from '../../hack/vllm/environment.ts';
import { writeTinyModels } from '../../hack/vllm/tiny-models.ts';
import { askAll } from './ask-all.ts';
import { ENGINE_ENVIRONMENT, ENGINES, type EngineName, type EngineSuite } from './engines.ts';
import { type Engine, startEngine } from './real-engine.ts';
import { type Recording, writeRecording } from './recording.ts';
import {
  clientGoesAway,
  FEW_TOKENS,
  MANY_TOKENS,
  SHUTDOWN_TIMEOUT,
  terminated,
  underLoad,
} from './scenarios.ts';

/** A folder with the tiny models, and engines of one version on them. */
export class Laboratory {
  readonly folders: Record<string, string>;
  readonly #directory = mkdtempSync(join(tmpdir(), 'vllm-conformance-'));
  readonly #models: ReturnType<typeof writeTinyModels>;
  readonly #command: string;
  readonly #stop = new AbortController();

  private constructor(command: string) {
    this.#command = command;
    this.#models = writeTinyModels(this.#directory);
    this.folders = { adapter: this.#models['tiny-adapter'], models: this.#directory };
  }

  /** Installs the version if need be. */
  static async open(version: string, signal: AbortSignal): Promise<Laboratory> {
    return new Laboratory(await installVllm(version, signal));
  }

  async start(name: EngineName, args: readonly string[], signal: AbortSignal): Promise<Engine> {
    const suite: EngineSuite = ENGINES[name];
    console.log(`${name}: starting vllm serve ${suite.model} …`);
    const engine = await startEngine({
      command: this.#command,
      model: this.#models[suite.model],
      args: [...suite.args, ...args],
      env: ENGINE_ENVIRONMENT,
      log: join(tmpdir(), `vllm-conformance-${name}.log`),
      signal: AbortSignal.any([signal, this.#stop.signal]),
    });
    console.log(`${name}: healthy after ${engine.loadSeconds.toFixed(0)} s`);
    return engine;
  }

  close(): void {
    this.#stop.abort();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Asks real engines of a version everything, and writes down what they answer. */
export async function record(
  version: string,
  names: readonly EngineName[],
  signal: AbortSignal,
): Promise<void> {
  const laboratory = await Laboratory.open(version, signal);
  try {
    for (const name of names) {
      const engine = await laboratory.start(name, [], signal);
      const { requests } = ENGINES[name];
      const recording: Recording = {
        whileLoading: engine.whileLoading,
        answers: await askAll(engine.url, requests, laboratory.folders, signal),
      };
      if (name === 'chat') {
        const calm = {
          underLoad: await underLoad(engine.url, signal),
          clientGoesAway: await clientGoesAway(engine.url, signal),
          terminated: await terminated(engine, MANY_TOKENS, signal),
        };
        const patient = await laboratory.start('chat', SHUTDOWN_TIMEOUT, signal);
        recording.scenarios = {
          ...calm,
          terminatedWithTimeout: await terminated(patient, FEW_TOKENS, signal),
        };
      } else {
        engine.terminate();
        await engine.exited;
      }
      console.log(`${name}: ${requests.length} answers in ${writeRecording(version, name, recording)}`);
    }
  } finally {
    laboratory.close();
  }
}
