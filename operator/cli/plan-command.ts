/** `vllm-operator plan`: the memory of models in files, or with `--load` the replicas and the money for a load. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { collect } from './arguments.ts';
import { planFiles } from './plan.ts';
import { type PlanLoadOptions, planLoads } from './plan-loads.ts';
import type { CommandOutput } from './problems.ts';

interface PlanOptions extends PlanLoadOptions {
  filename?: string[];
  load?: boolean;
}

/** The `plan` command. `exit` gets the code with which the process has to end. */
export function planCommand(io: CommandOutput, exit: (code: number) => void): Command {
  const plan = new Command('plan')
    .description(
      'print the memory plan of models, or with --load what a load needs and costs; without a cluster',
    )
    .option('-f, --filename <path>', 'file, or - for standard input; may be repeated', collect)
    .option(
      '--config <[source=]path>',
      'config.json of a model that is not in the catalog, or its directory; with the source before = if several are missing; may be repeated',
      collect,
    );
  addLoadOptions(plan);
  return plan.action((options: PlanOptions, command: Command) => {
    const { filename = [], load, ...rest } = options;
    if (load || rest.compare) {
      exit(planLoads(filename, rest, io));
      return;
    }
    if (filename.length === 0) command.error("error: required option '-f, --filename <path>' not specified");
    const [stray] = Object.keys(rest).filter((name) => name !== 'config');
    if (stray !== undefined)
      command.error(`error: option ${flagOf(command, stray)} is for --load; add --load`);
    exit(planFiles(filename, io, rest.config));
  });
}

function flagOf(command: Command, name: string): string {
  return command.options.find((option) => option.attributeName() === name)?.long ?? name;
}

function addLoadOptions(plan: Command): void {
  plan
    .option('--load', 'plan for a load: the block load: of a file, the options below, or both')
    .option('--model <source>', 'source of the model, such as hf://org/name')
    .option('--requests-per-day <n>', 'mean requests per day', number)
    .option('--requests-per-second <n>', 'mean requests per second', number)
    .option('--peak-factor <n>', 'rate at the peak divided by the mean rate', number)
    .option('--prompt-tokens <n>', 'tokens of a prompt', number)
    .option('--output-tokens <n>', 'tokens of an answer', number)
    .option(
      '--cached-prompt-share <share>',
      'share of the prompt in the prefix cache, from 0 to 0.99',
      number,
    )
    .option('--first-token-p99 <duration>', 'target for the first token, such as 500ms')
    .option('--time-per-token <duration>', 'target for the mean time between tokens, such as 50ms')
    .option('--latency-p99 <duration>', 'target for whole requests, such as 2s')
    .option('--spare-replicas <n>', 'replicas more than the peak needs; 1 is N+1', number)
    .option('--availability <percent>', 'share of time with enough replicas, such as 99.9', number)
    .option('--accelerator <product>', 'product to plan with; may be repeated; default: all', collect)
    .option('--price <product=usd>', 'price of one accelerator for one hour; may be repeated', collect)
    .option('--tensor-parallel-size <n>', 'fixed size of tensor parallelism', number)
    .option('--max-model-len <n>', 'longest request in tokens', number)
    .option('--max-num-seqs <n>', 'sequences of a step', number)
    .option('--quantization <method>', 'quantization of the weights, such as fp8')
    .option('--kv-cache-dtype <type>', 'data type of the KV cache, such as fp8')
    .option(
      '--what-if',
      'also with other accelerators, FP8, speculative decoding, shorter prompts, larger batches',
    )
    .option(
      '--measured <accelerator=path>',
      'result of bench for one replica, such as L40S=result.json or H100x4=result.json, instead of the prediction; may be repeated',
      collect,
    )
    .addOption(
      new Option('--compare <path...>', 'files with loads to plan side by side').conflicts([
        'filename',
        'whatIf',
      ]),
    )
    .addOption(
      new Option('-o, --output <format>', 'how a load plan is printed').choices(['table', 'json', 'yaml']),
    );
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('Use a number.');
  return value;
}
