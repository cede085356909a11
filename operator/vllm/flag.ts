/** One argument of `vllm serve`. */

/** How many values follow: one, none (`--x` and `--no-x`), or one and more. */
export type FlagKind = 'value' | 'switch' | 'list';

export interface Flag {
  /** Long form with dashes, without `--`. */
  name: string;
  kind: FlagKind;
  /** Other spellings: long ones without dashes in front, short ones with one. */
  aliases?: readonly string[];
  /** First version that has it; absent when every supported engine does. */
  since?: string;
  /** First version that no longer has it. */
  removed?: string;
  /** What to use since it was removed. */
  instead?: string;
  /** Setting of the API that renders it. */
  field?: string;
  /** Why nobody but the operator may set it. */
  reserved?: string;
}

/** Every spelling of a flag, with dashes. */
export function spellings({ name, kind, aliases = [] }: Flag): string[] {
  return [
    `--${name}`,
    ...(kind === 'switch' ? [`--no-${name}`] : []),
    ...aliases.map((alias) => (alias.startsWith('-') ? alias : `--${alias}`)),
  ];
}
