/** Explains why the pods of a Deployment do not become ready, in terms that a user can act on. Pure. */
import type { POD_PROBLEMS } from '../../api/reasons.ts';
import { logTail } from './log-tail.ts';
import { quote } from './quote.ts';
import type { ContainerStatus, Deployment, Pod } from './workloads.ts';
import { isReady, isReleased } from './workloads.ts';

export type Crashed = 'EngineCrashed' | 'RouterCrashed' | 'CacheCrashed';

/** Why pods do not become ready. Messages contain no pod names, so that they stay the same while pods are replaced. */
export interface WorkloadProblem<C extends Crashed = Crashed> {
  reason: (typeof POD_PROBLEMS)[number] | C;
  message: string;
  /** The message without commands that need the pods to exist. Used once the pods are gone. */
  lastingMessage: string;
  /** Whether the user has to change something. False if waiting may help. */
  needsUser: boolean;
}

/** Terms that messages use for one kind of workload. */
export interface WorkloadWords<C extends Crashed = Crashed> {
  /** A noun phrase for one of its pods, such as `an engine`. */
  one: string;
  /** The plural, such as `engines`. */
  many: string;
  /** Name of the main container, and of the program in it. */
  container: string;
  program: string;
  /** Reason to report when that program exits. */
  crashed: C;
  /** Fields that messages refer to: image, memory limit, arguments; and the remedy if the start takes too long. */
  imageFields: string;
  memoryField: string;
  argumentFields: string;
  startRemedy: string;
}

export interface WorkloadProblemInput<C extends Crashed = Crashed> {
  deployment: Deployment;
  pods: readonly Pod[];
  words: WorkloadWords<C>;
  /** Whether the Deployment controller has observed the current generation. Until then its conditions describe an older one. */
  observed: boolean;
  /** Why the volumes of a pod cannot be mounted, if known. */
  mountFailure?: ((pod: Pod) => string | undefined) | undefined;
}

const IMAGE_REASONS = new Set(['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull']);
const CONFIG_REASONS = new Set(['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError']);

/** How kube-scheduler reports claims that are missing, lost or terminating (plugin VolumeBinding). */
const CLAIM_MISSING = /^ (not found|bound to non-existent|is being deleted)/;

function missingClaim(said: string): string | undefined {
  const parts = said.split('"');
  for (const [at, claim] of parts.entries()) {
    const found = CLAIM_MISSING.exec(parts[at + 1] ?? '');
    if (found !== null && parts[at - 1]?.endsWith('persistentvolumeclaim '))
      return `persistentvolumeclaim "${claim}"${found[0]}`;
  }
  return undefined;
}

const CLAIM_UNBOUND = /unbound immediate PersistentVolumeClaims/;

/** The first problem found: in the pods, then in the conditions of the Deployment. */
export function workloadProblem<C extends Crashed>(
  input: WorkloadProblemInput<C>,
): WorkloadProblem<C> | undefined {
  for (const pod of input.pods) {
    if (pod.metadata.deletionTimestamp !== undefined || isReleased(pod) || isReady(pod)) continue;
    const found = podProblem(input, pod);
    if (found) return found;
  }
  return input.observed ? deploymentProblem(input) : undefined;
}

function deploymentProblem<C extends Crashed>({
  deployment,
  words,
}: WorkloadProblemInput<C>): WorkloadProblem<C> | undefined {
  const conditions = deployment.status?.conditions ?? [];
  const refused = conditions.find((c) => c.type === 'ReplicaFailure' && c.status === 'True');
  if (refused) {
    const why = refused.message ?? refused.reason ?? 'no reason given';
    return problem('PodsRefused', `Kubernetes rejects the pods: ${quote(why)}`);
  }
  const stuck = conditions.find((c) => c.type === 'Progressing' && c.reason === 'ProgressDeadlineExceeded');
  if (!stuck) return undefined;
  const message = `${words.many} did not become ready in time; ${words.startRemedy}`;
  return problem('ProgressDeadlineExceeded', message, `, else read the log: ${logsCommand(deployment)}`);
}

function podProblem<C extends Crashed>(
  input: WorkloadProblemInput<C>,
  pod: Pod,
): WorkloadProblem<C> | undefined {
  const unscheduled = unschedulable(input, pod);
  if (unscheduled) return unscheduled;
  const lost = lostNode(input, pod);
  if (lost) return lost;
  const mount = input.mountFailure?.(pod);
  if (mount !== undefined) {
    const message = `the volumes of ${input.words.one} cannot be mounted: ${quote(mount)}; create the missing object, or correct the volume in the spec`;
    return problem('VolumeMountFailed', message);
  }
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  for (const container of [...initContainerStatuses, ...containerStatuses]) {
    // A ready container is running, so an earlier exit is not the problem. Pods on an unreachable node look like this.
    if (container.ready) continue;
    const found = containerProblem(input, pod, container);
    if (found) return found;
  }
  return undefined;
}

function unschedulable<C extends Crashed>(
  { words }: WorkloadProblemInput<C>,
  pod: Pod,
): WorkloadProblem<C> | undefined {
  const scheduled = pod.status?.conditions?.find((c) => c.type === 'PodScheduled' && c.status === 'False');
  if (scheduled?.reason !== 'Unschedulable') return undefined;
  const said = scheduled.message ?? 'the scheduler gave no reason';
  const missing = missingClaim(said);
  if (missing !== undefined)
    return problem(
      'VolumeMountFailed',
      `${quote(missing)}; create the claim, or correct the name in the spec`,
    );
  if (CLAIM_UNBOUND.test(said)) {
    const message = `a PersistentVolumeClaim of ${words.one} is not bound to a volume yet; if this persists, check its StorageClass: kubectl describe pvc`;
    return { ...problem('VolumeMountFailed', message), needsUser: false };
  }
  return {
    ...problem('Unschedulable', `${words.one} cannot be scheduled: ${quote(said)}`),
    needsUser: false,
  };
}

/**
 * Kubernetes marks the pods of a node that it has lost sight of as not ready. What the kubelet reported of their containers
 * stays. Pods with readiness gates have a reason.
 */
function lostNode<C extends Crashed>(
  { words }: WorkloadProblemInput<C>,
  { spec, status }: Pod,
): WorkloadProblem<C> | undefined {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const containers = status?.containerStatuses ?? [];
  const isLost = ready?.status === 'False' && !ready.reason && containers.length > 0;
  if (!isLost || !containers.every((container) => container.ready)) return undefined;
  const message = `the node ${spec.nodeName ?? ''} of ${words.one} does not report to Kubernetes; repair or delete the node`;
  return { ...problem('NodeNotReady', message), needsUser: false };
}

function containerProblem<C extends Crashed>(
  { deployment, words }: WorkloadProblemInput<C>,
  pod: Pod,
  container: ContainerStatus,
): WorkloadProblem<C> | undefined {
  const isMain = container.name === words.container;
  const { waiting } = container.state ?? {};
  if (waiting?.reason && IMAGE_REASONS.has(waiting.reason)) {
    // The kubelet alternates between ErrImagePull and ImagePullBackOff with different texts. Quote only the stable part.
    const { containers = [], initContainers = [] } = pod.spec;
    const image = [...containers, ...initContainers].find(({ name }) => name === container.name)?.image;
    const fields = isMain ? words.imageFields : 'the image in spec.template';
    const message = `the image ${image ?? `of container ${container.name}`} cannot be pulled; check ${fields}`;
    const where = `, the reason is in: kubectl describe pods -n ${deployment.metadata.namespace} ${podSelector(pod)}`;
    const found = problem('ImagePullFailed', message, where);
    return waiting.message ? { ...found, lastingMessage: `${message}: ${quote(waiting.message)}` } : found;
  }
  const name = isMain ? `the ${words.container} container` : `container ${container.name}`;
  if (waiting?.reason && CONFIG_REASONS.has(waiting.reason)) {
    const said = quote(waiting.message ?? 'no details');
    return problem('ContainerConfigError', `${name} cannot start (${waiting.reason}): ${said}`);
  }
  const ended =
    container.state?.terminated ?? (container.restartCount > 0 ? container.lastState?.terminated : undefined);
  if (!ended || ended.exitCode === 0) return undefined;
  const tail = logTail(ended.message);
  const message = `${isMain ? words.program : name} exited with ${exitText(words, ended.exitCode, ended.reason)}${tail && `; its last lines: ${tail}`}`;
  const command = `${logsCommand(deployment)}${isMain ? '' : ` -c ${container.name}`} --previous`;
  return {
    ...problem(words.crashed, message, `; read ${tail ? 'more' : 'why'}: ${command}`),
    needsUser: container.restartCount >= 2 && !wasReady(pod, ended.startedAt),
  };
}

function problem<R extends WorkloadProblem['reason']>(reason: R, lastingMessage: string, more = '') {
  return { reason, message: `${lastingMessage}${more}`, lastingMessage, needsUser: true };
}

/** Whether the container run that started at this time became ready before it ended. If so, a restart may help. */
function wasReady(pod: Pod, startedAt: string | undefined): boolean {
  const lost = pod.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime;
  return startedAt !== undefined && lost !== undefined && lost > startedAt;
}

function exitText(words: WorkloadWords, code: number, reason: string | undefined): string {
  if (reason === 'OOMKilled' || code === 137)
    return `exit code ${code} (out of memory or killed: raise ${words.memoryField})`;
  if (code === 2) return `exit code 2 (invalid arguments: check ${words.argumentFields})`;
  return `exit code ${code}`;
}

function logsCommand(deployment: Deployment): string {
  return `kubectl logs -n ${deployment.metadata.namespace} deploy/${deployment.metadata.name}`;
}

/** A label selector for the pods of this workload only. */
function podSelector({ metadata }: Pod): string {
  const names = ['vllm-operator.dev/model', 'vllm-operator.dev/pool', 'app.kubernetes.io/component'];
  const model = metadata.labels?.['vllm-operator.dev/model'];
  const labels = model === undefined ? names.slice(1) : names.slice(0, 1);
  return `-l ${labels.map((name) => `${name}=${metadata.labels?.[name] ?? ''}`).join(',')}`;
}
