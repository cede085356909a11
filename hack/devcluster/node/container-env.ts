import type { Container, DataObject, EnvVar, Pod } from '../kinds.ts';
import { fieldValue, type PodAddresses, resourceValue } from './field-ref.ts';
import { MissingSourceError, type PodSources } from './pod-sources.ts';

/**
 * Environment of a container as the pod asks for it: `envFrom`, then `env`, with `$(NAME)` expanded. Throws
 * {@link MissingSourceError} when a ConfigMap, Secret or key that is not optional does not exist.
 */
export async function containerEnv(
  pod: Pod,
  container: Container,
  context: {
    addresses: PodAddresses;
    sources: PodSources;
    base: Record<string, string>;
    signal: AbortSignal;
  },
): Promise<Record<string, string>> {
  const namespace = pod.metadata.namespace ?? '';
  const env: Record<string, string> = { ...context.base };
  const { sources, signal } = context;
  for (const from of container.envFrom ?? []) {
    const ref = from.configMapRef ?? from.secretRef;
    if (!ref) continue;
    const kind = from.configMapRef ? 'configmap' : 'secret';
    const object = await (from.configMapRef ? sources.configMap : sources.secret)(
      namespace,
      ref.name ?? '',
      signal,
    );
    if (!object && !ref.optional) throw new MissingSourceError(`${kind} "${ref.name}" not found`);
    for (const key of Object.keys(object?.data ?? {})) {
      env[`${from.prefix ?? ''}${key}`] = dataValue(object, key, kind === 'secret') ?? '';
    }
  }
  for (const variable of container.env ?? []) {
    const value = variable.valueFrom
      ? await referenced(variable, pod, container, context)
      : expand(variable.value ?? '', env);
    if (value !== undefined) env[variable.name] = value;
  }
  return env;
}

async function referenced(
  variable: EnvVar,
  pod: Pod,
  container: Container,
  context: { addresses: PodAddresses; sources: PodSources; signal: AbortSignal },
): Promise<string | undefined> {
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = variable.valueFrom ?? {};
  const namespace = pod.metadata.namespace ?? '';
  if (fieldRef) return fieldValue(fieldRef.fieldPath, pod, context.addresses);
  if (resourceFieldRef) {
    const named = pod.spec.containers.find((c) => c.name === resourceFieldRef.containerName) ?? container;
    return resourceValue(resourceFieldRef.resource, named, resourceFieldRef.divisor);
  }
  if (configMapKeyRef) {
    const object = await context.sources.configMap(namespace, configMapKeyRef.name ?? '', context.signal);
    return required(dataValue(object, configMapKeyRef.key, false), object, 'configmap', configMapKeyRef);
  }
  if (secretKeyRef) {
    const object = await context.sources.secret(namespace, secretKeyRef.name ?? '', context.signal);
    return required(dataValue(object, secretKeyRef.key, true), object, 'secret', secretKeyRef);
  }
  return undefined;
}

function required(
  value: string | undefined,
  object: DataObject | undefined,
  kind: string,
  ref: { name?: string; key: string; optional?: boolean },
): string | undefined {
  if (value !== undefined || ref.optional) return value;
  if (!object) throw new MissingSourceError(`${kind} "${ref.name}" not found`);
  throw new MissingSourceError(
    `couldn't find key ${ref.key} in ${kind} ${object.metadata.namespace}/${ref.name}`,
  );
}

function dataValue(object: DataObject | undefined, key: string, base64: boolean): string | undefined {
  const value = object?.data?.[key];
  return value !== undefined && base64 ? Buffer.from(value, 'base64').toString('utf8') : value;
}

/** Replaces `$(NAME)` by the variable; unknown names stay, and `$$` is a plain dollar sign, as kubelet does it. */
export function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$(\$|\(([^)]*)\))/g, (whole, body: string, name: string | undefined) => {
    if (body === '$') return '$';
    return (name === undefined ? undefined : env[name]) ?? whole;
  });
}
