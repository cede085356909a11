import type { ApiObject } from '../api-object.ts';
import { type JsonObject, objectAt, stringAt } from '../json.ts';
import type { ServerContext, WriteRequest } from '../server-context.ts';
import { forbidden } from '../status-error.ts';
import type { Write } from '../writes/common.ts';
import { type PodSecurityLevel, podSecurityViolations, type Violation } from './pod-security.ts';

const LABEL = 'pod-security.kubernetes.io/';
const LEVELS: readonly PodSecurityLevel[] = ['privileged', 'baseline', 'restricted'];

/**
 * The admission plug-ins ServiceAccount, Priority and PodSecurity. Throws Forbidden when a new pod names a service account or
 * priority class that does not exist, or violates the pod security level of its namespace. Warns about templates that violate it, and about
 * existing pods when a namespace gets a stricter level.
 */
export function admit(write: Write, object: ApiObject, old: ApiObject | undefined): void {
  const { server, resource, namespace, request } = write;
  if (write.subresource !== '') return;
  const { collection } = resource;
  if (collection === 'namespaces') warnOfPods(server, object, old, request);
  else if (collection === 'pods') {
    if (old) return;
    const spec = objectAt(object, 'spec');
    const refuse = (why: string) => forbidden(resource, object.metadata.name, why);
    const account = stringAt(spec, 'serviceAccountName') || stringAt(spec, 'serviceAccount') || 'default';
    if (!server.store.get('serviceaccounts', namespace, account)) {
      const named = `${namespace}/${account}: serviceaccount ${JSON.stringify(account)} not found`;
      throw refuse(`error looking up service account ${named}`);
    }
    const priority = stringAt(spec, 'priorityClassName');
    if (priority !== '' && !server.store.get('scheduling.k8s.io/priorityclasses', '', priority))
      throw refuse(`no PriorityClass with name ${priority} was found`);
    const level = levelOf(server, namespace, 'enforce');
    const violations = podSecurityViolations(level, spec);
    if (violations.length > 0)
      throw refuse(`violates PodSecurity "${level}:latest": ${describe(violations)}`);
    warnOf(levelOf(server, namespace, 'warn'), spec, request);
  } else if (collection === 'apps/deployments' || collection === 'apps/replicasets') {
    warnOf(levelOf(server, namespace, 'warn'), objectAt(object, 'spec', 'template', 'spec'), request);
  }
}

function levelOf(server: ServerContext, namespace: string, mode: string): PodSecurityLevel {
  return labelled(server.store.get('namespaces', '', namespace), mode);
}

function labelled(namespace: ApiObject | undefined, mode: string): PodSecurityLevel {
  const label = namespace?.metadata.labels?.[LABEL + mode];
  return LEVELS.find((level) => level === label) ?? 'privileged';
}

function describe(violations: readonly Violation[]): string {
  return violations.map(({ reason, detail }) => `${reason} (${detail})`).join(', ');
}

function warnOf(level: PodSecurityLevel, spec: JsonObject, request: WriteRequest): void {
  const violations = podSecurityViolations(level, spec);
  if (violations.length > 0)
    request.warnings.push(`would violate PodSecurity "${level}:latest": ${describe(violations)}`);
}

/** Existing pods stay when a namespace gets a stricter level. The warnings count those that violate it, by reason. */
function warnOfPods(
  { store }: ServerContext,
  namespace: ApiObject,
  old: ApiObject | undefined,
  request: WriteRequest,
): void {
  const level = labelled(namespace, 'enforce');
  if (!old || LEVELS.indexOf(level) <= LEVELS.indexOf(labelled(old, 'enforce'))) return;
  const { name } = namespace.metadata;
  const podsOf = new Map<string, string[]>();
  for (const pod of store.list('pods', name)) {
    const violations = podSecurityViolations(level, objectAt(pod, 'spec'));
    if (violations.length === 0) continue;
    const reasons = violations.map(({ reason }) => reason).join(', ');
    podsOf.set(reasons, [...(podsOf.get(reasons) ?? []), pod.metadata.name]);
  }
  if (podsOf.size === 0) return;
  request.warnings.push(
    `existing pods in namespace "${name}" violate the new PodSecurity enforce level "${level}:latest"`,
  );
  for (const [reasons, [first, ...more]] of podsOf) {
    const others = more.length === 0 ? '' : ` (and ${more.length} other pod${more.length === 1 ? '' : 's'})`;
    request.warnings.push(`${first}${others}: ${reasons}`);
  }
}
