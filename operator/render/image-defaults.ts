/** What images and pull secrets are where a pool or model names none, as the operator's options say. */
import type { PodSettings } from '../api/pod-settings.ts';

export interface ImageDefaults {
  /** In the place of the registry of every default image, such as `registry.example.com/mirror`. */
  registry?: string;
  /** Names of pull secrets. They have to be in each namespace with pools or models. */
  pullSecrets?: readonly string[];
  /** Default: the image that belongs to the operator. */
  router?: string;
  /** Default: the official image. */
  redis?: string;
}

/** A default image as it is pulled: from the registry of the options, if they name one. */
export function fromRegistry(image: string, { registry }: ImageDefaults): string {
  return registry === undefined ? image : `${registry}/${repositoryOf(image)}`;
}

/** A first part with a dot or a port is a registry, else it is Docker Hub, whose own images are in `library`. */
function repositoryOf(image: string): string {
  const [first = '', ...rest] = image.split('/');
  if (rest.length === 0) return `library/${image}`;
  return /[.:]|^localhost$/.test(first) ? rest.join('/') : image;
}

/** The `imagePullSecrets` of a pod: those of its settings, else those of the options. */
export function pullSecretsOf(
  settings: PodSettings | undefined,
  { pullSecrets = [] }: ImageDefaults,
): object {
  if (settings?.imagePullSecrets !== undefined) return { imagePullSecrets: settings.imagePullSecrets };
  return pullSecrets.length === 0 ? {} : { imagePullSecrets: pullSecrets.map((name) => ({ name })) };
}
