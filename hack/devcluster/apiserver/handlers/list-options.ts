import { badRequest, type Cause, invalid, StatusError } from '../status-error.ts';
import type { Store } from '../store.ts';

/** Throws for options that a list or a watch does not take (ValidateListOptions of apimachinery). */
export function checkListOptions(query: URLSearchParams, watch: boolean): void {
  for (const name of ['limit', 'timeoutSeconds']) {
    const text = query.get(name) ?? '';
    if (text !== '' && !/^[-+]?\d+$/.test(text))
      throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  const causes = watch ? watchFaults(query) : listFaults(query);
  if (causes.length > 0) throw invalid({ group: 'meta.k8s.io', plural: '', kind: 'ListOptions' }, '', causes);
  const version = query.get('resourceVersion') ?? '';
  if (!watch && query.get('continue') && version !== '' && version !== '0')
    throw badRequest('specifying resource version is not allowed when using continue');
}

function listFaults(query: URLSearchParams): Cause[] {
  const causes: Cause[] = [];
  const match = query.get('resourceVersionMatch') ?? '';
  const version = query.get('resourceVersion') ?? '';
  if (match !== '') {
    if (version === '')
      causes.push(noMatch('resourceVersionMatch is forbidden unless resourceVersion is provided'));
    if (query.get('continue'))
      causes.push(noMatch('resourceVersionMatch is forbidden when continue is provided'));
    if (match !== 'Exact' && match !== 'NotOlderThan')
      causes.push(unknownMatch(match, ['Exact', 'NotOlderThan', '']));
    if (match === 'Exact' && version === '0')
      causes.push(noMatch('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  }
  if (query.has('sendInitialEvents'))
    causes.push(forbiddenOption('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  return causes;
}

function watchFaults(query: URLSearchParams): Cause[] {
  const causes: Cause[] = [];
  const match = query.get('resourceVersionMatch') ?? '';
  const initial = query.has('sendInitialEvents');
  if (initial && match !== 'NotOlderThan')
    causes.push(noMatch('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'));
  if (match === '') return causes;
  if (!initial)
    causes.push(noMatch('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'));
  if (match !== 'NotOlderThan') causes.push(unknownMatch(match, ['NotOlderThan']));
  if (query.get('continue'))
    causes.push(noMatch('resourceVersionMatch is forbidden when continue is provided'));
  return causes;
}

function forbiddenOption(field: string, why: string): Cause {
  return { reason: 'FieldValueForbidden', field, message: `Forbidden: ${why}` };
}

function noMatch(why: string): Cause {
  return forbiddenOption('resourceVersionMatch', why);
}

function unknownMatch(value: string, known: string[]): Cause {
  const list = known.map((each) => JSON.stringify(each)).join(', ');
  const message = `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`;
  return { reason: 'FieldValueNotSupported', field: 'resourceVersionMatch', message };
}

/** Throws for a resourceVersion of a read that is no number, or newer than ours. */
export function checkVersion(store: Store, query: URLSearchParams): void {
  const text = query.get('resourceVersion') ?? '';
  if (text === '') return;
  if (!/^\d+$/.test(text))
    throw badRequest(
      `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  if (Number(text) > store.revision) {
    const message = `Too large resource version: ${text}, current: ${store.revision}`;
    throw new StatusError(504, 'Timeout', message, {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    });
  }
}
