import type { Json } from './json.ts';
import type { Cause } from './status-error.ts';

/** How Go writes the path of the whole object. */
const NIL = '<nil>';

/** Collects what is wrong with an object, with the path of each field; `Invalid` and its like of apimachinery's field package. */
export class Faults {
  readonly path: string;
  readonly causes: Cause[];

  constructor(path = '', causes: Cause[] = []) {
    this.path = path;
    this.causes = causes;
  }

  /** The same list for what is below a field, or an item of a list. */
  at(...keys: (string | number)[]): Faults {
    return new Faults(keys.reduce<string>(below, this.path), this.causes);
  }

  /** The same list for each object of an array under a field. */
  each<T>(key: string, items: readonly T[], check: (faults: Faults, item: T) => void): void {
    items.forEach((item, index) => {
      check(this.at(key, index), item);
    });
  }

  invalid(key: string, value: Json | undefined, why: string): void {
    this.causes.push(fieldInvalid(below(this.path, key) || NIL, value ?? null, why));
  }

  required(key: string, why = ''): void {
    this.causes.push(fieldRequired(below(this.path, key), why));
  }

  /** Required when there is no value, else Invalid. */
  wrong(key: string, value: Json | undefined, why: string): void {
    if (value === undefined || value === '') this.required(key, why);
    else this.invalid(key, value, why);
  }

  typeInvalid(key: string, value: Json, why: string): void {
    this.#add('FieldValueTypeInvalid', key, `Invalid value: ${JSON.stringify(value)}: ${why}`);
  }

  forbidden(key: string, why: string): void {
    this.#add('FieldValueForbidden', key, `Forbidden: ${why}`);
  }

  unsupported(key: string, value: Json, supported: readonly Json[]): void {
    const list = supported.map((each) => JSON.stringify(each)).join(', ');
    this.#add(
      'FieldValueNotSupported',
      key,
      `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`,
    );
  }

  duplicate(key: string, value: Json): void {
    this.#add('FieldValueDuplicate', key, `Duplicate value: ${JSON.stringify(value)}`);
  }

  notFound(key: string, value: Json): void {
    this.#add('FieldValueNotFound', key, `Not found: ${JSON.stringify(value)}`);
  }

  tooLong(key: string, bytes: number): void {
    this.#add('FieldValueTooLong', key, `Too long: may not be more than ${bytes} bytes`);
  }

  tooMany(key: string, count: number, most: number): void {
    this.#add('FieldValueTooMany', key, `Too many: ${count}: must have at most ${most} items`);
  }

  #add(reason: string, key: string, message: string): void {
    this.causes.push({ reason, field: below(this.path, key) || NIL, message });
  }
}

function below(path: string, key: string | number): string {
  if (typeof key === 'number') return `${path}[${key}]`;
  if (path === '' || key === '') return `${path}${key}`;
  return key.startsWith('[') ? `${path}${key}` : `${path}.${key}`;
}

/** An Invalid cause. */
export function fieldInvalid(field: string, value: Json, why: string): Cause {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${JSON.stringify(value)}: ${why}` };
}

/** A Required cause. */
export function fieldRequired(field: string, why = ''): Cause {
  const message = why === '' ? 'Required value' : `Required value: ${why}`;
  return { reason: 'FieldValueRequired', field, message };
}
