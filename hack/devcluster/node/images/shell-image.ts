import { type ImageHandler, imageBaseName } from './image-handler.ts';

const NAMES = new Set(['alpine', 'bash', 'busybox', 'curl', 'debian', 'node', 'ubuntu']);

/** Small general images: the pod's command as a local program, with its paths rewritten. */
export const shellImage: ImageHandler = {
  matches: (image) => NAMES.has(imageBaseName(image)),
  launch: ({ command, args, env, directory }) => {
    const [program = '/bin/sh', ...rest] = [...(command ?? []), ...(args ?? [])];
    return { command: program === 'node' ? process.execPath : program, args: rest, env, cwd: directory };
  },
};

/** The pause image: does nothing until it is stopped. */
export const pauseImage: ImageHandler = {
  matches: (image) => imageBaseName(image) === 'pause',
  launch: ({ env, directory }) => ({ command: 'sleep', args: ['infinity'], env, cwd: directory }),
};
