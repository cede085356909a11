import type { Container } from '../../kinds.ts';
import type { ProcessSpec } from '../process-group.ts';

/** The parameters with which an image handler starts a container. */
export interface LaunchContext {
  container: Container;
  podIp: string;
  /** The container's environment with its paths rewritten. */
  env: Record<string, string>;
  /** `command` and `args` with variables expanded and paths rewritten; undefined where those of the image apply. */
  command: string[] | undefined;
  args: string[] | undefined;
  /** A writable directory of the container's own. */
  directory: string;
}

/** Runs the containers of some images as local processes. */
export interface ImageHandler {
  /** Whether this handler simulates the image reference, such as `docker.io/library/redis:7.4`. */
  matches(image: string): boolean;
  /** The local process for the container. */
  launch(context: LaunchContext): ProcessSpec;
  /** Adapts a text file of a ConfigMap or Secret volume; `rewrite` replaces the container's paths. */
  rewriteFile?(
    path: string,
    content: string,
    context: { podIp: string; rewrite: (text: string) => string },
  ): string;
}

/** Last part of an image's name without tag and digest: `redis` for `docker.io/library/redis:7.4@sha256:…`. */
export function imageBaseName(image: string): string {
  const withoutDigest = image.split('@')[0] ?? image;
  const last = withoutDigest.split('/').at(-1) ?? withoutDigest;
  return last.split(':')[0] ?? last;
}
