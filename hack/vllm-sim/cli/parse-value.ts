import { type Flag, spelling } from './flag.ts';
import { humanInt, humanLength, plainInt } from './human-int.ts';
import { UsageError } from './usage-error.ts';

/** Reads one value of a flag. Throws UsageError with argparse's words. */
export function parseValue(flag: Flag, text: string): string | number | Record<string, unknown> {
  const value = convert(flag, text);
  if (value === undefined) {
    throw new UsageError(
      'vllm serve',
      `argument ${spelling(flag)}: invalid ${typeName(flag)} value: ${quote(text)}`,
    );
  }
  if (flag.choices !== undefined && !flag.choices.includes(String(value))) {
    throw new UsageError(
      'vllm serve',
      `argument ${spelling(flag)}: invalid choice: ${quote(text)} (choose from ${flag.choices.join(', ')})`,
    );
  }
  return value;
}

function convert(flag: Flag, text: string): string | number | Record<string, unknown> | undefined {
  switch (flag.kind) {
    case 'int':
      return plainInt(text);
    case 'float': {
      const value = Number(text);
      return text.trim() === '' || Number.isNaN(value) ? undefined : value;
    }
    case 'human':
      return humanInt(text);
    case 'length':
      return humanLength(text);
    case 'json':
      return parseJson(text);
    default:
      return text;
  }
}

function parseJson(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : undefined;
  } catch {
    // Not JSON: reported by the caller as an invalid value, as argparse does with json.loads.
    return undefined;
  }
}

function typeName(flag: Flag): string {
  switch (flag.kind) {
    case 'human':
      return 'human_readable_int';
    case 'length':
      return 'human_readable_int_or_auto';
    case 'json':
      return 'loads';
    default:
      return flag.kind;
  }
}

function quote(text: string): string {
  return `'${text}'`;
}
