import type { IncomingMessage } from 'node:http';
import { Faults } from '../faults.ts';
import { mediaType, warningHeader } from '../http-message.ts';
import type { RequestInfo } from '../request-info.ts';
import type { UserInfo, WriteRequest } from '../server-context.ts';
import { type Cause, invalid, StatusError } from '../status-error.ts';

const MAX_MANAGER = 128;
const VALIDATIONS = ['', 'Ignore', 'Strict', 'Warn'];
/** Kinds of the options that a verb takes. */
const OPTIONS: Readonly<Record<string, string>> = {
  create: 'CreateOptions',
  update: 'UpdateOptions',
  patch: 'PatchOptions',
};

/** A request, what it asks for and who sends it. */
interface Sent {
  message: IncomingMessage;
  info: RequestInfo;
  user: UserInfo;
}

/**
 * Reads what write requests have in common: field manager, dry run, field validation. Throws Invalid on bad values.
 * The manager is by default the User-Agent up to the first slash, but applies must name one.
 */
export function writeRequestOf({ message, info, user }: Sent): WriteRequest {
  const { query } = info;
  const apply = info.verb === 'patch' && mediaType(message).startsWith('application/apply-patch');
  const causes = optionFaults(info, apply);
  const kind = OPTIONS[info.verb] ?? 'DeleteOptions';
  if (causes.length > 0) throw invalid({ group: 'meta.k8s.io', plural: '', kind }, '', causes);
  const validation = query.get('fieldValidation') || 'Warn';
  return {
    user,
    fieldManager: query.get('fieldManager') || managerFrom(message.headers['user-agent']),
    fieldValidation: validation === 'Strict' || validation === 'Ignore' ? validation : 'Warn',
    dryRun: query.getAll('dryRun').length > 0,
    warnings: [],
  };
}

/** As ValidateCreateOptions, ValidateUpdateOptions and ValidatePatchOptions of apimachinery. */
function optionFaults({ verb, query }: RequestInfo, apply: boolean): Cause[] {
  const faults = new Faults();
  const manager = query.get('fieldManager') ?? '';
  if (apply && manager === '') faults.required('fieldManager', 'is required for apply patch');
  if (verb === 'patch' && !apply && query.has('force'))
    faults.forbidden('force', 'may not be specified for non-apply patch');
  if (manager.length > MAX_MANAGER) faults.tooLong('fieldManager', MAX_MANAGER);
  const odd = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.exec(manager);
  if (odd) faults.invalid('fieldManager', manager, `invalid character (at position ${odd.index})`);
  const dryRun = query.getAll('dryRun');
  if (dryRun.some((value) => value !== 'All')) faults.unsupported('dryRun', dryRun, ['All']);
  const validation = query.get('fieldValidation') ?? '';
  if (!VALIDATIONS.includes(validation)) faults.unsupported('fieldValidation', validation, VALIDATIONS);
  return faults.causes;
}

function managerFrom(userAgent: string | undefined): string {
  return (userAgent ?? '').split('/')[0]?.trim() || 'unknown';
}

/** Runs a write; a refusal carries the warnings that it came with. */
export function withWarnings<T>(request: WriteRequest, write: () => T): T {
  try {
    return write();
  } catch (error) {
    if (error instanceof StatusError && request.warnings.length > 0)
      error.headers.Warning = warningHeader(request.warnings);
    throw error;
  }
}
