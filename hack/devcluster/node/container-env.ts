import type { Container, EnvVar, Pod } from '../kinds.ts';
import { fieldValue, type PodAddresses } from './field-ref.ts';
import { MissingSourceError, type PodSources } from './pod-sources.ts';

/** What the environment of a container is made from. */
interface EnvContext {
  pod: Pod;
  addresses: PodAddresses;
  sources: PodSources;
  base: Record<string, string>;
  signal: AbortSignal;
}

/**
 * Environment of a container by the pod's spec: `envFrom`, then `env`, with `$(NAME)` expanded. Throws
 * {@link MissingSourceError} when a ConfigMap, Secret or key that is not optional does not exist.
 */
export async function containerEnv(
  container: Container,
  context: EnvContext,
): Promise<Record<string, string>> {
  const namespace = context.pod.metadata.namespace ?? '';
  const env: Record<string, string> = { ...context.base };
  for (const { prefix = '', configMapRef, secretRef } of container.envFrom ?? []) {
    const kind = configMapRef ? 'configmap' : 'secret';
    const data = await context.sources.data(
      kind,
      { namespace, ...(configMapRef ?? secretRef) },
      context.signal,
    );
    for (const [key, value] of data) env[`${prefix}${key}`] = value.toString('utf8');
  }
  for (const variable of container.env ?? []) {
    const value = variable.valueFrom
      ? await referenced(variable.valueFrom, context)
      : expand(variable.value ?? '', env);
    if (value !== undefined) env[variable.name] = value;
  }
  return env;
}

async function referenced(
  { fieldRef, configMapKeyRef, secretKeyRef }: NonNullable<EnvVar['valueFrom']>,
  { pod, addresses, sources, signal }: EnvContext,
): Promise<string | undefined> {
  const namespace = pod.metadata.namespace ?? '';
  if (fieldRef) return fieldValue(fieldRef.fieldPath, pod, addresses);
  const kind = configMapKeyRef ? 'configmap' : 'secret';
  const ref = configMapKeyRef ?? secretKeyRef;
  if (!ref) throw new Error('variables can come from a field, a ConfigMap or a Secret here');
  const value = (await sources.data(kind, { namespace, ...ref }, signal)).get(ref.key);
  if (value === undefined && !ref.optional)
    throw new MissingSourceError(`couldn't find key ${ref.key} in ${kind} ${namespace}/${ref.name}`);
  return value?.toString('utf8');
}

/** Replaces `$(NAME)` by the variable; unknown names stay, and `$$` is a plain dollar sign, as kubelet does it. */
export function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$(\$|\(([^)]*)\))/g, (whole, body: string, name: string | undefined) => {
    if (body === '$') return '$';
    return (name === undefined ? undefined : env[name]) ?? whole;
  });
}
