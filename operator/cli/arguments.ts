/**
 * Parsers of options that several commands have. Each throws InvalidArgumentError, which commander shows with option and
 * value.
 */
import { InvalidArgumentError } from 'commander';
import { dnsLabel } from '../api/common.ts';

/** A port; 0 selects a free one. */
export function port(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 0 || number > 65535)
    throw new InvalidArgumentError('Use a number from 0 to 65535.');
  return number;
}

/** A valid name of a namespace. */
export function label(value: string): string {
  if (!dnsLabel.safeParse(value).success)
    throw new InvalidArgumentError('Use at most 63 lower-case letters, digits and hyphens.');
  return value;
}

/** Values of an option that may be repeated. */
export function collect(value: string, all: string[] | undefined): string[] {
  return [...(all ?? []), value];
}
