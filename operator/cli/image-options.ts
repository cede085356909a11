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
      'registry in the place of that of every default image, such as registry.example.com/mirror',
      registry,
    )
    .option(
      '--image-pull-secret <name>',
      'pull secret of pods whose pool or model names none; may be repeated',
      pullSecret,
    )
    .option('--router-image <image>', 'router image of pools that name none', image)
    .option('--redis-image <image>', 'Redis image of pools that name none', image);
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
      'A host, with a port and a path where need be, such as registry.example.com:5000/mirror.',
    );
  return plain;
}

function image(value: string): string {
  if (value.length > 512 || /\s/.test(value) || value.includes('://'))
    throw new InvalidArgumentError('An image with tag or digest, such as registry.example.com/router:1.');
  return value;
}

function pullSecret(value: string, all: string[] = []): string[] {
  if (!objectName.safeParse(value).success)
    throw new InvalidArgumentError('The name of a Secret: lower-case letters, digits, hyphens and dots.');
  return [...all, value];
}
