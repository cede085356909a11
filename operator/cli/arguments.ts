/** Values of options that more than one command takes. Each throws InvalidArgumentError, which names the option and the value. */
import { InvalidArgumentError } from 'commander';
import { dnsLabel } from '../api/common.ts';

/** A port; 0 lets the system choose. */
export function port(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 0 || number > 65535)
    throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return number;
}

/** A name that Kubernetes takes for a namespace. */
export function label(value: string): string {
  if (!dnsLabel.safeParse(value).success)
    throw new InvalidArgumentError('Lower-case letters, digits and hyphens, at most 63 of them.');
  return value;
}
