import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Reads "+ <group>" and "- <group>" lines; when its input ends, because this process closed it or died in any way,
 * it kills the process groups that are left and removes the directory. A shell: it costs 1 MB and starts at once.
 */
const SCRIPT = `
trap '' INT TERM HUP QUIT
live=' '
while read -r op group; do
  case $op in
    +) live="$live$group " ;;
    -) case $live in *" $group "*) live="\${live%% $group *} \${live#* $group }" ;; esac ;;
  esac
done
for group in $live; do kill -KILL "-$group" 2>/dev/null; done
rm -rf -- "$1" 2>/dev/null || { sleep 0.2; rm -rf -- "$1"; }
`;

/** Ends the process groups of a cluster when the cluster ends, also when its process is killed with SIGKILL. */
export class Watchdog {
  readonly #child: ChildProcess;
  readonly #groups = new Set<number>();

  /** @param directory removed at the end */
  constructor(directory: string) {
    this.#child = spawn('/bin/sh', ['-c', SCRIPT, 'devcluster-watchdog', directory], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    // It ends by itself with this process; nothing needs to wait for it.
    this.#child.unref();
    this.#child.stdin?.on('error', () => undefined);
    (this.#child.stdin as unknown as { unref?: () => void } | null)?.unref?.();
  }

  /** Process id of the watchdog itself. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** To be called in the same tick as the spawn of the group's leader: SIGKILL between the two leaves the group behind. */
  add(group: number): void {
    this.#groups.add(group);
    this.#child.stdin?.write(`+ ${group}\n`);
  }

  /** The leader has exited and what it left of its group has been killed. */
  remove(group: number): void {
    if (this.#groups.delete(group)) this.#child.stdin?.write(`- ${group}\n`);
  }

  /** Kills what is left, removes the directory, and returns when both are done. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.ref();
    const exited = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await exited;
  }
}
