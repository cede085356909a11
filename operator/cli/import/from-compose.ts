/** Services of a docker-compose file. */
import {
  type Draft,
  type Fields,
  fieldsOf,
  isEmpty,
  listOf,
  nameFrom,
  note,
  ownOf,
  setField,
  textOf,
  textsOf,
} from './draft.ts';
import { type Mount, readContainer, TOKENS } from './from-container.ts';
import { wordsOf } from './serve-arguments.ts';

/** Fields that say nothing which pods need. */
const SILENT: readonly string[] = [
  'image',
  'command',
  'entrypoint',
  'environment',
  'volumes',
  'container_name',
  'ports',
  'expose',
  'healthcheck',
  'restart',
  'deploy',
  'gpus',
  'shm_size',
  'mem_limit',
  'depends_on',
  'networks',
];
const REMEDIES: Readonly<Record<string, readonly [reason: string, remedy: string]>> = {
  ipc: ['pods do not share the memory of the node', 'nothing to do: engines have shared memory of their own'],
  runtime: ['the pool decides on the runtime', 'set spec.template.runtimeClassName if nodes need one'],
  env_file: ['the file is not here', 'make a ConfigMap or Secret of it, and set spec.template.envFrom'],
  privileged: ['engines run as the Pod Security Standard `restricted` requires', 'remove it'],
  network_mode: ['pods do not use the network of the node', 'remove it'],
};

/** Whether a service runs vLLM. */
export function runsVllm(service: Fields): boolean {
  const words = JSON.stringify([service.image, service.command, service.entrypoint]) ?? '';
  return /vllm/i.test(words.slice(0, 65_536));
}

export function fromService(draft: Draft, service: Fields): void {
  const environment = readEnvironment(draft, service.environment);
  const env = new Map(environment.map(({ name, value }) => [name, value]));
  const words = (value: unknown) =>
    typeof value === 'string' ? wordsOf(interpolated(value), env) : textsOf(value).map(interpolated);
  const image = textOf(service.image);
  const container = {
    image: image && interpolated(image),
    command: words(service.entrypoint),
    args: words(service.command),
    env: environment,
  };
  for (const [name, value] of Object.entries(service)) {
    if (SILENT.includes(name) || isEmpty(value) || value === false) continue;
    const [reason, remedy] = ownOf(REMEDIES, name) ?? [
      'a pod has no such field',
      'look for it in `kubectl explain inferencemodel.spec.template`',
    ];
    note(draft, name, value, reason, remedy);
  }
  readDeploy(draft, service);
  readContainer(draft, container, mountsOf(draft, service));
}

/** Variables of compose: `${NAME:-default}` is the default, and `$$` a dollar. Others stay. */
function interpolated(text: string): string {
  const [before = '', ...parts] = text.split('$$').map((part) => {
    const [start = '', ...variables] = part.split('${');
    return start + variables.map(withDefault).join('');
  });
  return [before, ...parts].join('$');
}

/** The text behind `${`, with the default in place of the variable. */
function withDefault(text: string): string {
  const end = text.indexOf('}');
  const dash = text.indexOf('-');
  if (end < 0 || dash < 0 || dash > end) return `\${${text}`;
  return text.slice(dash + 1, end) + text.slice(end + 1);
}

/** Variables with a value. Those of the shell that runs compose are noted. */
function readEnvironment(draft: Draft, given: unknown): { name: string; value: string }[] {
  return environmentOf(given).flatMap(({ name, value }) => {
    if (TOKENS.includes(name)) return [{ name, value: value ?? '' }];
    if (value !== undefined && !/\$\{/.test(value)) return [{ name, value }];
    note(
      draft,
      `environment.${name}`,
      undefined,
      'its value is that of the shell that runs compose',
      'set it in spec.template.env',
    );
    return [];
  });
}

/** A map, or a list of `NAME=value`. Without a value, compose takes that of its own environment. */
function environmentOf(value: unknown): { name: string; value: string | undefined }[] {
  if (Array.isArray(value))
    return textsOf(value).map((line) => {
      const at = line.indexOf('=');
      if (at < 0) return { name: line, value: undefined };
      return { name: line.slice(0, at), value: interpolated(line.slice(at + 1)) };
    });
  return Object.entries(fieldsOf(value)).map(([name, text]) => ({
    name,
    value: text === null || text === undefined ? undefined : interpolated(String(text)),
  }));
}

function readDeploy(draft: Draft, service: Fields): void {
  const deploy = fieldsOf(service.deploy);
  const resources = fieldsOf(deploy.resources);
  if (typeof deploy.replicas === 'number' && deploy.replicas !== 1)
    setField(draft, 'scaling.replicas', deploy.replicas);
  const memory = textOf(fieldsOf(resources.limits).memory) ?? textOf(service.mem_limit);
  if (memory !== undefined)
    note(
      draft,
      'mem_limit',
      memory,
      'units differ between compose and Kubernetes',
      'set spec.template.resources.limits.memory',
    );
  const devices = [...listOf(fieldsOf(resources.reservations).devices), ...listOf(service.gpus)];
  const gpus =
    typeof service.gpus === 'string'
      ? service.gpus
      : devices.map(countOf).find((count) => count !== undefined);
  if (gpus !== undefined)
    note(
      draft,
      'gpus',
      String(gpus),
      'the pool sets the accelerators of a replica',
      'use an InferencePool with as many of that accelerator',
    );
}

function countOf({ count, device_ids: ids }: Fields): unknown {
  return count ?? (Array.isArray(ids) ? ids.length : undefined);
}

/** Binds of the host become hostPath and named volumes become claims, so that both are noted or carried over alike. */
function mountsOf(draft: Draft, service: Fields): Mount[] {
  const list = Array.isArray(service.volumes) ? service.volumes : [];
  return list.flatMap((entry): Mount[] => {
    const [source, target] =
      typeof entry === 'string'
        ? interpolated(entry).split(':')
        : [fieldsOf(entry).source, fieldsOf(entry).target];
    const mountPath = textOf(target);
    const from = textOf(source);
    if (mountPath === undefined || from === undefined) return [];
    const isPath = /^[./~$]/.test(from);
    if (!isPath)
      note(
        draft,
        'volumes',
        from,
        'a volume of compose is no claim',
        `create a PersistentVolumeClaim \`${from}\`, and copy the files`,
      );
    const volume = isPath ? { hostPath: { path: from } } : { persistentVolumeClaim: { claimName: from } };
    const name = nameFrom(from) || 'volume';
    return [{ mountPath, subPath: '', mount: { name, mountPath }, volume: { name, ...volume } }];
  });
}
