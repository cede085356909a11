/** `vllm-operator tune`: finds the settings with which a model takes most requests under its objectives. */
import { Command } from 'commander';
import { ConnectionConfigError } from '../kube/connection.ts';
import { isKubeError } from '../kube/errors.ts';
import { loadConnection } from '../kube/load-connection.ts';
import { Transport } from '../kube/transport.ts';
import { TuneStoppedError } from '../tune/tune-stopped-error.ts';
import { printable } from '../values/printable.ts';
import type { BenchProcess } from './bench.ts';
import { INTERRUPTED } from './interrupted.ts';
import { runTune } from './run-tune.ts';
import { addTuneOptions, type TuneOptions } from './tune-options.ts';

/** The `tune` command. `exit` gets the code with which the process has to end. */
export function tuneCommand(io: BenchProcess, exit: (code: number) => void): Command {
  const tune = new Command('tune')
    .argument('<model>', 'name of the InferenceModel')
    .description(
      'try engine settings on a copy of a model in its pool, and find those that take most requests under objectives',
    );
  addTuneOptions(tune);
  return tune.action(async (name: string, options: TuneOptions, command: Command) => {
    const isDefault = (option: string) => command.getOptionValueSource(option) === 'default';
    exit(await connectAndTune(name, { options, isDefault }, io));
  });
}

async function connectAndTune(
  name: string,
  { options, isDefault }: { options: TuneOptions; isDefault: (option: string) => boolean },
  io: BenchProcess,
): Promise<number> {
  let transport: Transport | undefined;
  try {
    const { kubeconfig, context } = options;
    const connection = await loadConnection({
      ...(kubeconfig !== undefined && { kubeconfig }),
      ...(context !== undefined && { context }),
    });
    transport = new Transport({ connection, userAgent: 'vllm-operator-tune' });
    const namespace = options.namespace ?? connection.namespace ?? 'default';
    return await runTune({ namespace, name }, { options, isDefault, transport, io });
  } catch (error) {
    if (io.signal.aborted && !(error instanceof TuneStoppedError)) {
      io.fail('\nInterrupted. The candidate was deleted; continue with the same options and --resume.\n');
      return INTERRUPTED;
    }
    if (!isMistake(error)) throw error;
    io.fail(`${printable(error.message)}\n`);
    return 1;
  } finally {
    await transport?.close();
  }
}

/** Whether the message of an error says what the user has to change. */
function isMistake(error: unknown): error is Error {
  return (
    error instanceof TuneStoppedError ||
    error instanceof ConnectionConfigError ||
    error instanceof RangeError ||
    isKubeError(error)
  );
}
