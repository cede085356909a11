import { fileURLToPath } from 'node:url';
import { type ImageHandler, imageBaseName } from './image-handler.ts';

const SIMULATOR = fileURLToPath(new URL('../../../vllm-sim/main.ts', import.meta.url));

/**
 * vLLM's images: the simulator, or the program given as `vllm`. The images' entrypoint is `vllm serve`.
 * @param options.env for every engine, for example `VLLM_SIM_*`; the pod's own variables win
 */
export function engineImage(options: { vllm?: string; env?: Record<string, string> } = {}): ImageHandler {
  const entrypoint = options.vllm ? [options.vllm, 'serve'] : [process.execPath, SIMULATOR, 'serve'];
  return {
    matches: (image) => imageBaseName(image).startsWith('vllm-openai'),
    launch: ({ command, args, env, directory, podIp }) => {
      const words = [...(command ?? entrypoint), ...withHost(args ?? [], podIp)];
      const [program = '', ...rest] = words;
      return { command: program, args: rest, env: { ...options.env, ...env }, cwd: directory };
    },
  };
}

function withHost(args: readonly string[], podIp: string): string[] {
  const kept: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const word = args[i] ?? '';
    if (word === '--host') i++;
    else if (!word.startsWith('--host=')) kept.push(word);
  }
  return [...kept, '--host', podIp];
}
