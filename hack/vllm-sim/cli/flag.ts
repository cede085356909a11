/** The definition of one `vllm serve` flag. */

/**
 * How vLLM reads a value: `human` is an int with an optional k/m/g/t or K/M/G/T suffix, `length` also takes
 * `auto` and -1, `switch` is a flag without a `--no-` form, `bool` has one, `json` is a JSON document that may
 * also be given in dotted parts.
 */
export type FlagKind = 'str' | 'int' | 'float' | 'human' | 'length' | 'bool' | 'switch' | 'json';

export interface Flag {
  /** Long name without dashes. */
  name: string;
  /** Short form without its dash. */
  short?: string;
  kind: FlagKind;
  /** Values that vLLM admits; absent means any. */
  choices?: readonly string[];
  /** True when the flag takes one or more values. */
  list?: boolean;
}

/** `--max-model-len/-x` style spelling that argparse uses in messages. */
export function spelling(flag: Flag): string {
  const parts = [`--${flag.name}`];
  if (flag.kind === 'bool') {
    parts.push(`--no-${flag.name}`);
  }
  if (flag.short !== undefined) {
    parts.push(`-${flag.short}`);
  }
  return parts.join('/');
}
