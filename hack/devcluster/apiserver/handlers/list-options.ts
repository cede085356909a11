import { Faults } from '../faults.ts';
import { badRequest, invalid, StatusError } from '../status-error.ts';
import type { Store } from '../store.ts';

/** Throws for options that a list or a watch does not take (ValidateListOptions of apimachinery). */
export function checkListOptions(query: URLSearchParams, watch: boolean): void {
  for (const name of ['limit', 'timeoutSeconds']) {
    const text = query.get(name) ?? '';
    if (text !== '' && !/^[-+]?\d+$/.test(text))
      throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  const faults = new Faults();
  if (watch) watchFaults(faults, query);
  else listFaults(faults, query);
  if (faults.causes.length > 0)
    throw invalid({ group: 'meta.k8s.io', plural: '', kind: 'ListOptions' }, '', faults.causes);
  const version = query.get('resourceVersion') ?? '';
  if (!watch && query.get('continue') && version !== '' && version !== '0')
    throw badRequest('specifying resource version is not allowed when using continue');
}

const MATCH = 'resourceVersionMatch';

function listFaults(faults: Faults, query: URLSearchParams): void {
  const match = query.get(MATCH) ?? '';
  const version = query.get('resourceVersion') ?? '';
  if (query.has('sendInitialEvents'))
    faults.forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list');
  if (match === '') return;
  if (version === '') faults.forbidden(MATCH, `${MATCH} is forbidden unless resourceVersion is provided`);
  if (query.get('continue')) faults.forbidden(MATCH, `${MATCH} is forbidden when continue is provided`);
  if (match !== 'Exact' && match !== 'NotOlderThan')
    faults.unsupported(MATCH, match, ['Exact', 'NotOlderThan', '']);
  if (match === 'Exact' && version === '0')
    faults.forbidden(MATCH, `${MATCH} "exact" is forbidden for resourceVersion "0"`);
}

function watchFaults(faults: Faults, query: URLSearchParams): void {
  const match = query.get(MATCH) ?? '';
  const initial = query.has('sendInitialEvents');
  if (initial && match !== 'NotOlderThan')
    faults.forbidden(MATCH, `sendInitialEvents requires setting ${MATCH} to NotOlderThan`);
  if (match === '') return;
  if (!initial)
    faults.forbidden(MATCH, `${MATCH} is forbidden for watch unless sendInitialEvents is provided`);
  if (match !== 'NotOlderThan') faults.unsupported(MATCH, match, ['NotOlderThan']);
  if (query.get('continue')) faults.forbidden(MATCH, `${MATCH} is forbidden when continue is provided`);
}

/** Throws for a resourceVersion of a read that is not a number, or newer than the store's. */
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
