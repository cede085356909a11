import type { FlagKind } from './flag-facts.ts';

/** What the operator makes of one argument of `vllm serve`. What vLLM says of it stands in flag-table.json. */
export interface Flag {
  /** Long form with dashes, without `--`. */
  name: string;
  /** In the newest version that has it. */
  kind: FlagKind;
  /** Other spellings in any version: long ones without dashes in front, short ones with one. */
  aliases?: readonly string[];
  /** First minor version that has it; absent when the oldest one that we know does. */
  since?: string;
  /** First minor version that no longer has it. */
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
