/** Options of `run` and `render` for images and pull secrets where a pool or model names none. */
import { type Command, InvalidArgumentError } from 'commander';
import { objectName } from '../api/common.ts';
import type { ImageDefaults } from '../render/image-defaults.ts';

export interface ImageOptions {
  imageRegistry?: string;
  imagePullSecret?: string[];
  routerImage?: string;
  redisImage?: string;
}

/** Adds them to a command. An empty value is as good as none. */
export function addImageOptions(command: Command): Command {
  return command
    .option(
      '--image-registry <registry>',
      'registry that replaces the registry of all default images, such as registry.example.com/mirror',
      registry,
    )
    .option(
      '--image-pull-secret <name>',
      'pull secret of pods whose pool or model sets none; may be repeated',
      pullSecret,
    )
    .option('--router-image <image>', 'default router image', image)
    .option('--redis-image <image>', 'default Redis image', image);
}

/** What the options come to. */
export function imageDefaults(options: ImageOptions): ImageDefaults {
  const { imageRegistry, imagePullSecret, routerImage, redisImage } = options;
  return {
    ...(imageRegistry && { registry: imageRegistry }),
    ...(imagePullSecret && { pullSecrets: imagePullSecret }),
    ...(routerImage && { router: routerImage }),
    ...(redisImage && { redis: redisImage }),
  };
}

/** A host with an optional port, and an optional path. */
const REGISTRY = /^[a-zA-Z0-9][a-zA-Z0-9.-]*(:[0-9]+)?(\/[a-z0-9][a-z0-9._-]*)*$/;

function registry(value: string): string {
  const plain = value.replace(/\/$/, '');
  if (plain !== '' && !REGISTRY.test(plain))
    throw new InvalidArgumentError(
      'Use a host with optional port and path, such as registry.example.com:5000/mirror.',
    );
  return plain;
}

function image(value: string): string {
  if (value.length > 512 || /\s/.test(value) || value.includes('://'))
    throw new InvalidArgumentError('Use an image with tag or digest, such as registry.example.com/router:1.');
  return value;
}

function pullSecret(value: string, all: string[] = []): string[] {
  if (!objectName.safeParse(value).success)
    throw new InvalidArgumentError('Use the name of a Secret: lower-case letters, digits, hyphens and dots.');
  return [...all, value];
}
