const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const MICRO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/;
const WHOLE = /^<(uid|ip|generated)(:\d+)?>$/;
const PART = /<(uid|rv|ip|time|generated)(:\d+)?>/g;

/** Which value stands for which placeholder of a recording; one to one within a scenario. */
export class Bindings {
  readonly namespace: string;
  readonly #values: Map<string, string>;
  readonly #placeholders: Map<string, string>;
  /** Versions of each object, by `<uid>|<placeholder>`. */
  readonly #versions: Map<string, string>;

  constructor(namespace: string, from?: Bindings) {
    this.namespace = namespace;
    this.#values = new Map(from ? from.#values : []);
    this.#placeholders = new Map(from ? from.#placeholders : []);
    this.#versions = new Map(from ? from.#versions : []);
  }

  /** A copy, for a comparison that may turn out not to count. */
  branch(): Bindings {
    return new Bindings(this.namespace, this);
  }

  /** A recorded text with what is bound by now. */
  fillText(text: string): string {
    let out = text.replaceAll('$NS', this.namespace);
    for (const [placeholder, value] of this.#values) out = out.replaceAll(placeholder, value);
    return out;
  }

  /** A recorded value with what is bound by now. */
  fill(value: unknown): unknown {
    return value === undefined ? undefined : (JSON.parse(this.fillText(JSON.stringify(value))) as unknown);
  }

  /** Versions of one object must be equal where the recorded ones are, and differ where they differ. */
  bindVersion(uid: string, placeholder: string, value: unknown): boolean {
    if (typeof value !== 'string' || !/^\d+$/.test(value)) return false;
    this.#values.set(placeholder, value);
    for (const [key, known] of this.#versions) {
      const [owner, other] = key.split('|');
      if (owner === uid && (other === placeholder) !== (known === value)) return false;
    }
    this.#versions.set(`${uid}|${placeholder}`, value);
    return true;
  }

  /** The version of a list, for requests that name it; false when it is no number. */
  bindListVersion(placeholder: string, value: unknown): boolean {
    if (typeof value !== 'string' || !/^\d+$/.test(value)) return false;
    this.#values.set(placeholder, value);
    return true;
  }

  /** Whether a value is what a recorded text stands for; binds placeholders on the way. */
  matches(recorded: string, value: string): boolean {
    if (recorded === '<time>') return TIME.test(value);
    if (recorded === '<microtime>') return MICRO_TIME.test(value);
    if (['<token>', '<continue>', '<apiserver>'].includes(recorded)) return value !== '';
    if (WHOLE.test(recorded)) return this.#bind(recorded, value);
    const filled = this.fillText(recorded);
    const pattern = filled.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll(PART, '.+?');
    return new RegExp(`^${pattern}$`, 's').test(value);
  }

  #bind(placeholder: string, value: string): boolean {
    const known = this.#values.get(placeholder);
    if (known !== undefined) return known === value;
    const other = this.#placeholders.get(value);
    if (other !== undefined && other !== placeholder) return false;
    this.#values.set(placeholder, value);
    this.#placeholders.set(value, placeholder);
    return true;
  }
}
