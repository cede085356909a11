import type { Logger } from '../../operator/kube/logger.ts';

/** A logger for people: warnings and errors on standard error, the rest only when asked for. */
export function consoleLogger(verbose: boolean, bound: Record<string, unknown> = {}): Logger {
  const print = (level: string, fields: object, message: string): void => {
    const details = Object.entries({ ...bound, ...fields }).map(([name, value]) => {
      const text =
        value instanceof Error ? value.message : typeof value === 'string' ? value : JSON.stringify(value);
      return `${name}=${text}`;
    });
    console.error([level, message, ...details].join(' '));
  };
  return {
    debug: (fields, message) => (verbose ? print('debug', fields, message) : undefined),
    info: (fields, message) => (verbose ? print('info', fields, message) : undefined),
    warn: (fields, message) => print('warning:', fields, message),
    error: (fields, message) => print('error:', fields, message),
    child: (fields) => consoleLogger(verbose, { ...bound, ...fields }),
  };
}
