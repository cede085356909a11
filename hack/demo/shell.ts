/** kubectl against the demo's cluster. */
import { kubectl } from '../kubectl/kubectl.ts';

/** A namespace and what `kubectl wait` waits for there. */
interface Wait {
  for: string;
  of: readonly string[];
  namespace?: string;
  seconds: number;
}

export class Shell {
  readonly #kubeconfig: string;
  readonly #signal: AbortSignal;

  constructor(kubeconfig: string, signal: AbortSignal) {
    this.#kubeconfig = kubeconfig;
    this.#signal = signal;
  }

  /** What kubectl prints. Throws what it prints on stderr when it fails. */
  run(...args: string[]): Promise<string> {
    return kubectl(args, { kubeconfig: this.#kubeconfig, signal: this.#signal });
  }

  /** The command and what it prints, as in a terminal. */
  async show(...args: string[]): Promise<string> {
    return `$ kubectl ${args.join(' ')}\n${await this.run(...args)}`;
  }

  /** Returns once `kubectl wait` does; throws when it times out. */
  async wait({ for: condition, of, namespace, seconds }: Wait): Promise<void> {
    const where = namespace ? ['-n', namespace] : of.includes('--all') ? ['-A'] : [];
    await this.run('wait', `--for=${condition}`, ...of, ...where, `--timeout=${seconds}s`);
  }

  /** Merges a patch into an InferenceModel. */
  patch(namespace: string, model: string, patch: object): Promise<string> {
    return this.show('patch', 'vmodel', model, '-n', namespace, '--type=merge', '-p', JSON.stringify(patch));
  }

  /** Names of the objects that have a label, as `pod/name`. */
  async names(kind: string, namespace: string, label: string): Promise<string[]> {
    const text = await this.run('get', kind, '-n', namespace, '-l', label, '-o', 'name');
    return text.split('\n').filter((line) => line !== '');
  }

  /** Base URL of the pool's Service: on devcluster, cluster IPs are addresses of this machine. */
  async routerUrl(namespace: string): Promise<string> {
    const service = JSON.parse(
      await this.run(
        'get',
        'service',
        '-n',
        namespace,
        '-l',
        'app.kubernetes.io/component=router',
        '-o',
        'json',
      ),
    ) as { items: { spec: { clusterIP: string; ports: { name: string; port: number }[] } }[] };
    const spec = service.items[0]?.spec;
    const port = spec?.ports.find(({ name }) => name === 'http')?.port;
    if (!spec || port === undefined) throw new Error('the pool has no router Service with a port named http');
    return `http://${spec.clusterIP}:${port}/v1`;
  }
}
