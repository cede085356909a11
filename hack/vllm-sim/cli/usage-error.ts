/** A command line that argparse refuses: message on stderr, exit code 2. */
export class UsageError extends Error {
  readonly code = 'Usage';
  readonly exitCode = 2;
  readonly usage: string;

  /** `prog` is `vllm` for unknown arguments (the outer parser reports them) and `vllm serve` otherwise. */
  constructor(prog: 'vllm' | 'vllm serve', message: string) {
    super(`${prog}: error: ${message}`);
    this.name = 'UsageError';
    this.usage =
      prog === 'vllm'
        ? 'usage: vllm [-h] [-v] {chat,complete,serve,launch,bench,collect-env,run-batch} ...'
        : 'usage: vllm serve [model_tag] [options]';
  }
}
