import type { IncomingMessage } from 'node:http';
import type { RequestInfo } from '../request-info.ts';
import type { UserInfo, WriteRequest } from '../server-context.ts';
import { badRequest, invalid } from '../status-error.ts';

/** Reads what write requests have in common: field manager, dry run, field validation. Throws on bad values. */
export function writeRequestOf(request: IncomingMessage, info: RequestInfo, user: UserInfo): WriteRequest {
  const { query } = info;
  const dryRun = query.getAll('dryRun');
  if (dryRun.some((value) => value !== 'All')) {
    throw invalid({ group: 'meta.k8s.io', plural: '', kind: 'CreateOptions' }, '', [
      {
        reason: 'FieldValueNotSupported',
        field: 'dryRun',
        message: `Unsupported value: ${JSON.stringify(dryRun)}: supported values: "All"`,
      },
    ]);
  }
  const validation = query.get('fieldValidation') ?? 'Warn';
  if (validation !== 'Strict' && validation !== 'Warn' && validation !== 'Ignore') {
    throw badRequest(
      `fieldValidation: Unsupported value: ${JSON.stringify(validation)}: supported values: "Ignore", "Strict", "Warn"`,
    );
  }
  return {
    user,
    fieldManager: query.get('fieldManager') ?? managerFrom(request.headers['user-agent']),
    fieldValidation: validation,
    dryRun: dryRun.length > 0,
    warnings: [],
  };
}

/** The default manager: the User-Agent up to the first slash. */
function managerFrom(userAgent: string | undefined): string {
  return (userAgent ?? '').split('/')[0]?.trim() || 'unknown';
}
