/** Deployments and StatefulSets whose pods run vLLM. */
import { POD_FIELDS, type PodFieldAnswer } from '../../api/pod-fields.ts';
import { isNative } from '../../api/pod-settings.ts';
import { type Draft, type Fields, fieldsOf, isEmpty, listOf, note, setField, textOf } from './draft.ts';
import { type Mount, readContainer } from './from-container.ts';

/** What the API server fills in, which says nothing. */
const DEFAULTS: Fields = {
  dnsPolicy: 'ClusterFirst',
  restartPolicy: 'Always',
  schedulerName: 'default-scheduler',
  terminationGracePeriodSeconds: 30,
  serviceAccountName: 'default',
  enableServiceLinks: true,
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
};
/** Fields that are read elsewhere, or that the operator sets for every engine. */
const APART: readonly string[] = [
  ...['containers', 'volumes', 'serviceAccount', 'runAsNonRoot', 'seccompProfile'],
  ...['name', 'image', 'command', 'args', 'env', 'envFrom', 'resources', 'volumeMounts', 'securityContext'],
  ...['ports', 'livenessProbe', 'readinessProbe', 'startupProbe'],
];

/** The draft of a Deployment or StatefulSet, or of a pod template of another kind. */
export function fromPodSpec(draft: Draft, pod: Fields): void {
  const containers = listOf(pod.containers);
  const engine = containers.find(isEngine) ?? (containers.length === 1 ? containers[0] : undefined);
  if (engine === undefined) {
    note(draft, 'containers', undefined, 'none of them runs vLLM', 'name the one that does `vllm`');
    return;
  }
  for (const { name } of containers.filter((container) => container !== engine))
    note(
      draft,
      `containers.${String(name)}`,
      undefined,
      'pods have one container, and sidecars',
      'add it to spec.template.initContainers with restartPolicy: Always',
    );
  carry(draft, 'PodSpec', pod, '');
  carry(draft, 'Container', engine, `containers.${String(engine.name)}.`);
  readSecurity(draft, pod, engine);
  readResources(draft, fieldsOf(engine.resources));
  readStartup(draft, fieldsOf(engine.startupProbe));
  readContainer(draft, engine, mountsOf(pod, engine));
}

/** Replicas and metadata of the pods of a Deployment or StatefulSet, and the pod itself. */
export function fromWorkload(draft: Draft, object: Fields): void {
  const spec = fieldsOf(object.spec);
  const template = fieldsOf(spec.template);
  if (typeof spec.replicas === 'number' && spec.replicas !== 1)
    setField(draft, 'scaling.replicas', spec.replicas);
  for (const { metadata } of listOf(spec.volumeClaimTemplates))
    note(
      draft,
      `volumeClaimTemplates.${String(fieldsOf(metadata).name)}`,
      undefined,
      'replicas share one claim',
      'use spec.model.cache.pvc with a size',
    );
  const annotations = fieldsOf(fieldsOf(template.metadata).annotations);
  const own = Object.entries(annotations).filter(
    ([key]) => !/^(kubectl\.kubernetes\.io|deployment\.kubernetes\.io)\//.test(key),
  );
  setField(draft, 'template.annotations', Object.fromEntries(own));
  fromPodSpec(draft, fieldsOf(template.spec));
}

function isEngine({ name, image, command, args }: Fields): boolean {
  const words = JSON.stringify([command, args]) ?? '';
  return /vllm/i.test(`${String(name)} ${String(image)} ${words.slice(0, 65_536)}`);
}

/** Carries over fields that the template has under the same name, and notes those that it refuses. */
function carry(draft: Draft, type: 'PodSpec' | 'Container', source: Fields, place: string): void {
  const answers: Readonly<Record<string, PodFieldAnswer>> = POD_FIELDS[type];
  for (const [name, value] of Object.entries(source)) {
    if (APART.includes(name) || isEmpty(value) || value === false || value === DEFAULTS[name]) continue;
    const answer = Object.hasOwn(answers, name) ? answers[name] : undefined;
    if (answer === undefined) note(draft, `${place}${name}`, value, 'it is no field of a pod', 'remove it');
    else if ('use' in answer) setField(draft, answer.use.replace(/^spec\./, ''), value);
    else note(draft, `${place}${name}`, value, answer.refused, answer.instead);
  }
}

/** Users and groups: those of the container win. */
function readSecurity(draft: Draft, pod: Fields, container: Fields): void {
  const answers: Readonly<Record<string, PodFieldAnswer>> = POD_FIELDS.PodSecurityContext;
  const own = fieldsOf(container.securityContext);
  for (const [name, value] of Object.entries({ ...fieldsOf(pod.securityContext), ...own })) {
    const answer = Object.hasOwn(answers, name) ? answers[name] : undefined;
    const place = `securityContext.${name}`;
    if (APART.includes(name)) continue;
    if (name === 'privileged' || name === 'allowPrivilegeEscalation' || name === 'capabilities') {
      const asks = name === 'capabilities' ? !isEmpty(fieldsOf(value).add) : value === true;
      if (asks)
        note(
          draft,
          place,
          value,
          'engines run as the Pod Security Standard `restricted` requires',
          'remove it',
        );
    } else if (answer !== undefined && 'use' in answer) {
      setField(draft, `template.securityContext.${name}`, value);
    } else if (answer !== undefined) {
      note(draft, place, value, answer.refused, answer.instead);
    }
  }
}

/** CPU and memory go along. Accelerators are those of the pool. */
export function readResources(draft: Draft, resources: Fields): void {
  const extended = new Map<string, unknown>();
  for (const kind of ['requests', 'limits']) {
    const entries = Object.entries(fieldsOf(resources[kind]));
    const native = entries.filter(([name]) => isNative(name)).map(([name, value]) => [name, String(value)]);
    setField(draft, `template.resources.${kind}`, Object.fromEntries(native));
    for (const [name, value] of entries) if (!isNative(name)) extended.set(name, value);
  }
  for (const [name, value] of extended)
    note(
      draft,
      `resources.limits.${name}`,
      String(value),
      'the pool sets the accelerators of a replica',
      `use an InferencePool with ${String(value)} of the accelerator that these pods run on`,
    );
}

/** How long a start may take. */
function readStartup(draft: Draft, probe: Fields): void {
  const number = (name: string, otherwise: number) =>
    typeof probe[name] === 'number' ? Number(probe[name]) : otherwise;
  if (isEmpty(probe)) return;
  const seconds =
    number('initialDelaySeconds', 0) + number('periodSeconds', 10) * number('failureThreshold', 3);
  setField(draft, 'engine.startupTimeout', `${Math.ceil(seconds)}s`);
}

function mountsOf(pod: Fields, container: Fields): Mount[] {
  const volumes = new Map(listOf(pod.volumes).map((volume) => [volume.name, volume]));
  return listOf(container.volumeMounts).flatMap((mount) => {
    const volume = volumes.get(mount.name);
    const mountPath = pathOf(mount.mountPath);
    return volume && mountPath ? [{ mountPath, subPath: textOf(mount.subPath) ?? '', mount, volume }] : [];
  });
}

/** A path without slashes at its end. */
function pathOf(value: unknown): string | undefined {
  const path = textOf(value);
  return (
    path &&
    `/${path
      .split('/')
      .filter((part) => part !== '')
      .join('/')}`
  );
}
