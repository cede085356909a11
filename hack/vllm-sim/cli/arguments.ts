/** Parsed command line, read by typed getters. */

/** A value as parsed: lists are always arrays. */
export type FlagValue =
  | string
  | number
  | boolean
  | readonly (string | number)[]
  | Readonly<Record<string, unknown>>;

export class ServeArguments {
  readonly model: string | undefined;
  readonly #values: ReadonlyMap<string, FlagValue>;

  constructor(model: string | undefined, values: ReadonlyMap<string, FlagValue>) {
    this.model = model;
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** All values, for tests and the start-up log line. */
  entries(): [string, FlagValue][] {
    return [...this.#values];
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return typeof value === 'string' ? value : undefined;
  }

  number(name: string): number | undefined {
    const value = this.#values.get(name);
    return typeof value === 'number' ? value : undefined;
  }

  flag(name: string): boolean | undefined {
    const value = this.#values.get(name);
    return typeof value === 'boolean' ? value : undefined;
  }

  list(name: string): string[] {
    const value = this.#values.get(name);
    return Array.isArray(value) ? value.map(String) : [];
  }
}
