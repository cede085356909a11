import { type ImageHandler, imageBaseName } from './image-handler.ts';

/**
 * The router's image: this machine's nginx, started by the pod's own command. A pod has a network namespace of its
 * own, so the router listens on ports of every address; here the pod's address is passed to it (operator/router/nginx/start.sh).
 * Its drain time is scaled like preStop sleeps, but longer than Node's clients keep an idle connection (4 s), as it is in a cluster:
 * the end of one can hit a request that is just being sent.
 */
export const routerImage = (timeScale = 1): ImageHandler => ({
  matches: (image) => imageBaseName(image) === 'router',
  launch: ({ command, args, env, directory, podIp }) => {
    const leaveSeconds = Math.max(5, 10 * timeScale);
    const [program = '/bin/sh', ...first] = command ?? ['/bin/sh', '/etc/vllm-router/start.sh'];
    return {
      command: program,
      args: [...first, ...(args ?? [])],
      env: { ...env, VLLM_ROUTER_ADDRESS: podIp, VLLM_ROUTER_LEAVE_SECONDS: `${leaveSeconds}` },
      cwd: directory,
    };
  },
  rewriteFile: (_path, content, { rewrite }) => rewrite(content),
});
