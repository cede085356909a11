import { Faults } from '../faults.ts';
import { isObject, type JsonObject, numberAt, stringAt } from '../json.ts';
import { badRequest, invalid } from '../status-error.ts';

const POLICIES = ['Foreground', 'Background', 'Orphan'];
const SUBJECT = { group: 'meta.k8s.io', plural: '', kind: 'DeleteOptions' };

/** The fields of DeleteOptions that have an effect here. */
export interface DeleteOptions {
  gracePeriodSeconds?: number;
  propagationPolicy?: string;
  uid?: string;
  resourceVersion?: string;
}

/** Reads DeleteOptions from a body (may be empty) and the query. Throws Invalid for an unknown propagation policy. */
export function deleteOptions(body: JsonObject | undefined, query: URLSearchParams): DeleteOptions {
  const out: DeleteOptions = {};
  const grace =
    numberAt(body, 'gracePeriodSeconds') ??
    (query.has('gracePeriodSeconds') ? Number(query.get('gracePeriodSeconds')) : undefined);
  if (grace !== undefined) out.gracePeriodSeconds = grace;
  const orphan =
    body?.orphanDependents ??
    (query.has('orphanDependents') ? query.get('orphanDependents') === 'true' : undefined);
  const asked = stringAt(body, 'propagationPolicy') || query.get('propagationPolicy') || '';
  checkPolicy(asked, orphan !== undefined && orphan !== null);
  const policy = asked || (orphan === true ? 'Orphan' : orphan === false ? 'Background' : '');
  if (policy !== '') out.propagationPolicy = policy;
  const preconditions = isObject(body?.preconditions) ? body.preconditions : {};
  if (typeof preconditions.uid === 'string') out.uid = preconditions.uid;
  if (typeof preconditions.resourceVersion === 'string') out.resourceVersion = preconditions.resourceVersion;
  return out;
}

/** As ValidateDeleteOptions of apimachinery. */
function checkPolicy(policy: string, orphan: boolean): void {
  if (policy === '') return;
  const faults = new Faults();
  const why = 'orphanDependents and deletionPropagation cannot be both set';
  if (orphan) faults.invalid('propagationPolicy', policy, why);
  else if (!POLICIES.includes(policy)) faults.unsupported('propagationPolicy', policy, [...POLICIES, 'nil']);
  if (faults.causes.length > 0) throw invalid(SUBJECT, '', faults.causes);
}

/** Throws BadRequest when the body of a deletion is an object of another kind. */
export function assertDeleteOptions(body: JsonObject): void {
  const kind = stringAt(body, 'kind');
  if (kind === '' || kind === 'DeleteOptions') return;
  throw badRequest(
    `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(stringAt(body, 'apiVersion'))} in scheme "pkg/apis/meta/internalversion/scheme/register.go:27"`,
  );
}
