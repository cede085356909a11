/** `vllm-operator bench`: sends a load to a router or an engine and measures it. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { type BenchOptions, type BenchProcess, runBench } from './bench.ts';
import { addLoadOptions } from './bench-options.ts';

/** The `bench` command. `exit` gets the code with which the process has to end. */
export function benchCommand(io: BenchProcess, exit: (code: number) => void): Command {
  const bench = new Command('bench').description(
    'send a load at fixed rates to a router or an engine, and measure latency and throughput',
  );
  addLoadOptions(bench);
  return bench
    .option('--api-key-file <path>', 'file with the API key; default: $VLLM_API_KEY')
    .option(
      '--against <path|url>',
      'baseline to compare with: an earlier result, or a server that gets the same load first',
    )
    .option('--against-model <name>', 'name of the model at the baseline; default: that of --model')
    .option('--against-api-key-file <path>', 'file with the API key of the baseline; default: none is sent')
    .option('--min-ratio <n>', 'throughput in relation to the baseline that is needed for success', ratio)
    .addOption(
      new Option('-o, --output <format>', 'how the result is printed')
        .choices(['table', 'json'])
        .default('table'),
    )
    .option('-q, --quiet', 'print nothing but the result and what is wrong with the options')
    .option('--result <path>', 'file for the result as JSON')
    .option('--plot <path>', 'file for a plot of latency over rate as SVG')
    .action(async (options: BenchOptions, command: Command) => {
      for (const name of ['againstModel', 'againstApiKeyFile', 'minRatio'] as const) {
        if (options[name] !== undefined && options.against === undefined)
          command.error(`error: option ${flagOf(command, name)} is for --against; add --against`);
      }
      exit(await runBench(options, io));
    });
}

function flagOf(command: Command, name: string): string {
  return command.options.find((option) => option.attributeName() === name)?.long ?? name;
}

function ratio(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 1e6)) throw new InvalidArgumentError('Use a number above 0, such as 10.');
  return value;
}
