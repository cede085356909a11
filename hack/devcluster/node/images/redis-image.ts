import { type ImageHandler, imageBaseName } from './image-handler.ts';

const NAMES = new Set(['redis', 'valkey']);

/** Redis: this machine's redis-server, bound to the pod's address. */
export const redisImage: ImageHandler = {
  matches: (image) => NAMES.has(imageBaseName(image)),
  launch: ({ command, args, env, directory, podIp }) => {
    const words = [...(command ?? []), ...(args ?? [])];
    const [first] = words;
    // The image's entrypoint adds the program where only options or a configuration file are given.
    const server = first === undefined || first.startsWith('-') || first.endsWith('.conf');
    const [program = 'redis-server', ...rest] = server ? ['redis-server', ...words] : words;
    const bind = program.endsWith('redis-server') ? ['--bind', podIp] : [];
    return { command: program, args: [...rest, ...bind], env, cwd: directory };
  },
  rewriteFile: (_path, content, { rewrite }) => rewrite(content),
};
