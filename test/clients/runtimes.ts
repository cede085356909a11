import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { environmentOf, VLLM_VERSIONS } from '../../hack/vllm/environment.ts';
import { PROGRAMS_FOLDER, type Program } from './programs.ts';

/** Packages of PyPI; some 470 MB with what they need. */
const PYTHON_PACKAGES = [
  'openai==3.57.0',
  'anthropic==2.14.0',
  'langchain-openai==1.7.4',
  'litellm==1.110.2',
];

const GO_MODULE = `module clients

go 1.26.0

require github.com/openai/openai-go/v3 v3.99.0
`;

/** Beside the environments of vLLM, never in the repository. */
const FOLDER = join(dirname(environmentOf(VLLM_VERSIONS[0])), 'clients');

/** A program cannot run on this machine. */
export class MissingRuntimeError extends Error {
  readonly code = 'MissingRuntime';
}

/**
 * What to run for a program: a file and its arguments. Installs what it needs below the user's cache directory. Throws
 * MissingRuntimeError when the machine lacks what it does not install.
 */
export async function commandOf(program: Program, signal: AbortSignal): Promise<readonly string[]> {
  const file = join(PROGRAMS_FOLDER, program.file);
  switch (program.runtime) {
    case 'node':
      return [process.execPath, file];
    case 'curl':
      await demand('curl', ['--version'], signal);
      return ['sh', file];
    case 'python':
      return [await installPython(signal), file];
    case 'go':
      return [join(await buildGo(signal), dirname(program.file).split('/').at(-1) ?? '')];
  }
}

async function installPython(signal: AbortSignal): Promise<string> {
  const folder = join(FOLDER, 'python');
  const python = join(folder, 'bin', 'python');
  const wanted = `${PYTHON_PACKAGES.join('\n')}\n`;
  const done = join(folder, 'installed');
  if (existsSync(done) && readFileSync(done, 'utf8') === wanted) return python;
  await demand('python3', ['--version'], signal);
  console.log(`Installing ${PYTHON_PACKAGES.join(', ')} into ${folder}: about 470 MB on disk …`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await run('python3', ['-m', 'venv', folder], signal);
  await run(
    python,
    ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PYTHON_PACKAGES],
    signal,
  );
  writeFileSync(done, wanted);
  return python;
}

/** Builds all programs in Go; the second time takes a moment. Returns the folder of the binaries. */
async function buildGo(signal: AbortSignal): Promise<string> {
  await demand('go', ['version'], signal);
  const folder = join(FOLDER, 'go');
  cpSync(join(PROGRAMS_FOLDER, 'go'), folder, { recursive: true });
  writeFileSync(join(folder, 'go.mod'), GO_MODULE);
  const binaries = join(folder, 'bin');
  mkdirSync(binaries, { recursive: true });
  await run('go', ['build', '-mod=mod', '-o', `${binaries}/`, './chat', './embeddings'], signal, folder);
  return binaries;
}

/** Throws MissingRuntimeError unless the command runs. */
async function demand(command: string, args: string[], signal: AbortSignal): Promise<void> {
  const child = spawn(command, args, { stdio: 'ignore', signal });
  await once(child, 'close').catch((cause: unknown) => {
    signal.throwIfAborted();
    throw new MissingRuntimeError(`${command} is not on this machine`, { cause });
  });
}

async function run(command: string, args: string[], signal: AbortSignal, cwd?: string): Promise<void> {
  const child = spawn(command, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    signal,
    ...(cwd !== undefined && { cwd }),
  });
  const [code, killed] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  if (code !== 0) throw new Error(`${command} ${args.slice(0, 3).join(' ')} … ended with ${code ?? killed}`);
}
