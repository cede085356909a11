/**
 * What pydantic found wrong, in short: kind and place of the first finding. A field of several types is tried with each of
 * them, and the text of the error lists all of that in a way that changes with every version: `kind at body.field.0`.
 */
export function validationSummary(message: string): string | undefined {
  const [, kind, list, text] =
    /^\d+ validation errors?:\n {2}\{'type': '(\w+)', 'loc': (?:\((.*?)\)|'([^']*)'), 'msg'/.exec(message) ??
    [];
  if (kind === undefined)
    return /^\d+ validation errors? for /.test(message) ? '<validation errors>' : undefined;
  return `<${kind} at ${fieldPath(
    list
      ?.split(',')
      .map((part) => part.trim().replaceAll("'", ''))
      .join('.') ??
      text ??
      '',
  )}>`;
}

/** A place without the names of types that pydantic tried on the way: parts of JSON are in small letters or numbers. */
export function fieldPath(place: string): string {
  const parts = place
    .split('.')
    .filter((part) => /^(?:[a-z][a-z0-9]*(?:_[a-z0-9]+)*|\d+)$/.test(part) && !TYPES.has(part));
  return parts.join('.');
}

const TYPES = new Set(['str', 'int', 'float', 'bool', 'dict', 'list', 'generator']);
