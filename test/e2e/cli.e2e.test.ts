import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../operator/kube/object.ts';
import { createKey } from '../../operator/router/api-keys.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cli-test-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** A cluster at a port that nothing listens on. */
const UNREACHABLE = `apiVersion: v1
kind: Config
clusters: [{ name: none, cluster: { server: 'https://127.0.0.1:1' } }]
contexts: [{ name: none, context: { cluster: none, user: none } }]
users: [{ name: none, user: {} }]
current-context: none
`;

interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs the command line of this checkout, as a user at its root would. */
async function run(
  args: readonly string[],
  input = '',
  program = [process.execPath, 'operator/main.ts'],
): Promise<Result> {
  const [command = '', ...first] = program;
  const child = spawn(command, [...first, ...args], { cwd: ROOT, stdio: 'pipe' });
  const result: Result = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    result.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    result.stderr += text;
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  [result.code] = await once(child, 'close');
  return result;
}

const idOf = (name: string): string => name.replaceAll(' ', '-');

/** The quickstart with one thing changed and in namespaces of its own, in a file. */
async function changed(name: string, from: string, to: string): Promise<string> {
  const text = await readFile(join(ROOT, 'examples/quickstart.yaml'), 'utf8');
  expect(text).toContain(from);
  const file = join(directory, `${idOf(name)}.yaml`);
  const namespaces = /(name|namespace): (platform|team-a|team-b)$/gm;
  await writeFile(file, text.replace(from, to).replace(namespaces, `$1: $2-${idOf(name)}`));
  return file;
}

function manifests(text: string): KubeObject[] {
  return parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
}

it('npx finds the command and its help', async () => {
  const { code, stdout } = await run(['vllm-operator', '--help'], '', ['npx']);

  expect(code).toBe(0);
  for (const command of ['run', 'render', 'validate', 'plan', 'bench', 'tune', 'key'])
    expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
});

describe('render', () => {
  it.each([
    ['a100', 1],
    ['h100x4', 4],
    ['h100x8', 8],
  ])('examples/%s.yaml asks for %i accelerators a replica', async (name, accelerators) => {
    const { code, stdout, stderr } = await run(['render', '-f', `examples/${name}.yaml`]);

    expect(stderr).toBe('');
    expect(code).toBe(0);
    const engines = manifests(stdout).filter(
      ({ kind, metadata }) =>
        kind === 'Deployment' && metadata.labels?.['app.kubernetes.io/component'] === 'engine',
    );
    expect(engines.length).toBeGreaterThan(0);
    for (const engine of engines) {
      const [container] = (engine as unknown as Engine).spec.template.spec.containers;
      expect(container?.resources.limits['nvidia.com/gpu']).toBe(String(accelerators));
      expect(container?.args).toContain(`--tensor-parallel-size=${accelerators}`);
    }
  });

  it('reads standard input', async () => {
    const text = await readFile(join(ROOT, 'examples/quickstart.yaml'), 'utf8');

    const fromInput = await run(['render', '-f', '-'], text);
    const fromFile = await run(['render', '-f', 'examples/quickstart.yaml']);

    expect(fromInput.code).toBe(0);
    expect(fromInput.stdout).toBe(fromFile.stdout);
  });
});

describe('images and pull secrets', () => {
  const options = ['--image-registry', 'registry.example.com/mirror/', '--image-pull-secret', 'registry'];

  it('are those of the options where nobody named others', async () => {
    const { code, stdout } = await run(['render', ...options, '-f', 'examples/quickstart.yaml']);

    expect(code).toBe(0);
    const images = [...stdout.matchAll(/^ +image: (.*)$/gm)].map(([, image]) => image);
    expect(images.length).toBeGreaterThan(2);
    for (const image of images) expect(image).toMatch(/^registry\.example\.com\/mirror\/[a-z]/);
    expect(stdout.match(/^ +imagePullSecrets:\n +- name: registry$/gm)).toHaveLength(images.length);
  });

  it.each([
    ['--image-registry', 'https://registry.example.com', 'Use a host'],
    ['--image-pull-secret', 'My Secret', 'the name of a Secret'],
    ['--router-image', 'docker://router', 'Use an image'],
  ])('are refused when %s is %s', async (option, value, reason) => {
    const { code, stderr } = await run(['run', option, value]);

    expect(code).toBe(1);
    expect(stderr).toContain(option);
    expect(stderr).toContain(value);
    expect(stderr).toContain(reason);
  });
});

interface Engine {
  spec: {
    template: { spec: { containers: { args: string[]; resources: { limits: Record<string, string> } }[] } };
  };
}

describe('validate', () => {
  it('says what it found to be right', async () => {
    const result = await run(['validate', '-f', 'examples/quickstart.yaml', '-f', 'examples/h100x4.yaml']);

    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toMatch(/^2 pools and \d+ models? are valid\n$/);
  });
});

describe('plan', () => {
  it('tells what is left for requests', async () => {
    const { code, stdout } = await run(['plan', '-f', 'examples/quickstart.yaml']);

    expect(code).toBe(0);
    expect(stdout).toMatch(/^team-b\/qwen-7b on 1 x L4: weights \d+\.\d GiB/m);
  });

  it('tells what does not fit, and what to do', async () => {
    const file = await changed(
      'too-large',
      'hf://Qwen/Qwen2.5-7B-Instruct',
      'hf://Qwen/Qwen2.5-72B-Instruct',
    );
    const { code, stdout, stderr } = await run(['plan', '-f', file]);

    expect(code).toBe(1);
    expect(stdout).toContain('team-b-too-large/qwen-7b on 1 x L4: does not fit');
    expect(stderr).toMatch(/InferenceModel team-b-too-large\/qwen-7b: spec\..+GiB/);
  });
});

describe('what is wrong', () => {
  const MISTAKES: [name: string, from: string, to: string, parts: string[]][] = [
    ['an unknown accelerator', 'type: L4', 'type: L5', ['spec.accelerator.type "L5"', 'A100']],
    [
      'a tensor-parallel size above the accelerators',
      'toolCallParser: hermes',
      'tensorParallelSize: 2',
      ['spec.engine.tensorParallelSize', '2'],
    ],
    [
      'an extra argument that repeats a typed one',
      'toolCallParser: hermes',
      'extraArgs: ["--max-model-len=1"]',
      ['spec.engine.extraArgs', '--max-model-len', 'maxModelLen'],
    ],
    ['both forms of scaling', 'replicas: 1', 'replicas: 1\n    minReplicas: 0', ['spec.scaling', 'replicas']],
    ['a number out of range', 'maxModelLen: 8192', 'maxModelLen: -1', ['spec.engine.maxModelLen', '-1']],
    [
      'a name that is served twice',
      '- Qwen/Qwen2.5-7B-Instruct',
      '- qwen-0-5b',
      ['spec.model.servedNames', '"qwen-0-5b"', '/qwen-0-5b'],
    ],
    ['a field that does not exist', 'maxModelLen: 8192', 'maxModelLength: 8192', ['maxModelLength']],
    [
      'a pool that admits other namespaces',
      '        models: allowed',
      '        models: none',
      ['spec.poolRef', 'team-a', 'allowedNamespaces'],
    ],
  ];

  it('validate says of each file, with field, value, reason and remedy', async () => {
    const files = await Promise.all(MISTAKES.map(([name, from, to]) => changed(name, from, to)));
    const result = await run(['validate', ...files.flatMap((file) => ['-f', file])]);

    expect(result).toMatchObject({ code: 1, stdout: '' });
    for (const [name, , , parts] of MISTAKES) {
      const id = idOf(name);
      const lines = result.stderr.split('\n').filter((line) => line.includes(id));
      const found = lines.some((line) => parts.every((part) => line.includes(part)));
      expect(found, `${name}: ${result.stderr}`).toBe(true);
    }
  });

  it('render says it too, and prints no manifest', async () => {
    const file = await changed('wrong', 'type: L4', 'type: L5');
    const result = await run(['render', '-f', file]);

    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toContain('spec.accelerator.type "L5"');
    expect(result.stderr).not.toMatch(/^\s+at /m);
  });

  it.each([
    ['a file that is not there', 'missing.yaml', undefined, 'cannot be read'],
    ['a file that is not YAML', 'broken.yaml', 'spec: [unclosed', 'not YAML'],
  ])('%s', async (_, name, content, expected) => {
    const file = join(directory, name);
    if (content !== undefined) await writeFile(file, content);

    const result = await run(['validate', '-f', file]);

    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toContain(`${file}: ${expected}`);
  });

  it('no file at all', async () => {
    const result = await run(['validate']);

    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toContain("required option '-f, --filename <path>' not specified");
  });
});

describe('key create', () => {
  it('prints the key once, and a ConfigMap that has only its hash', async () => {
    const { code, stdout, stderr } = await run([
      'key',
      'create',
      '-n',
      'team-a',
      '--name',
      'ci',
      '--models',
      'a,b',
    ]);

    expect(code).toBe(0);
    const [key = ''] = stderr.split('\n');
    expect(key).toHaveLength(createKey().key.length);
    expect(stdout).not.toContain(key);
    const configMap = parse(stdout) as KubeObject & { data: { ci: string } };
    expect(configMap).toMatchObject({ kind: 'ConfigMap', metadata: { namespace: 'team-a' } });
    const hash = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(key))).toString('hex');
    expect(parse(configMap.data.ci)).toEqual({ sha256: hash, models: ['a', 'b'] });
  });

  it('refuses a name that cannot be one', async () => {
    const result = await run(['key', 'create', '-n', 'team-a', '--name', 'C I']);

    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toContain('lower-case letters, digits and hyphens');
  });
});

describe('run', () => {
  it('says in its help what it needs', async () => {
    const { code, stdout } = await run(['run', '--help']);

    expect(code).toBe(0);
    for (const option of ['--kubeconfig', '--namespace', '--probe-port', '--log-level'])
      expect(stdout).toContain(option);
  });

  it('refuses a port that is none', async () => {
    const result = await run(['run', '--probe-port', '70000']);

    expect(result.code).toBe(1);
    expect(result.stderr).toContain('Use a number from 0 to 65535');
  });

  it('refuses a namespace that cannot be one', async () => {
    const result = await run(['run', '--namespace', 'X_y']);

    expect(result.code).toBe(1);
    expect(result.stderr).toContain("argument 'X_y' is invalid");
  });

  it('logs one line without a stack trace when its kubeconfig is not there', async () => {
    const { code, stderr } = await run(['run', '--kubeconfig', join(directory, 'none'), '--probe-port', '0']);

    expect(code).toBe(1);
    const line = JSON.parse(stderr) as { level: string; error: string };
    expect(line.level).toBe('error');
    expect(line.error).toContain(join(directory, 'none'));
    expect(stderr).not.toContain('    at ');
  });

  it('names the option when its port is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const kubeconfig = join(directory, 'unreachable');
    await writeFile(kubeconfig, UNREACHABLE);
    const ports = ['--probe-host', '127.0.0.1', '--probe-port', String(port)];
    const { code, stderr } = await run(['run', '--kubeconfig', kubeconfig, ...ports]);
    other.close();

    expect(code).toBe(1);
    expect(stderr).toContain(`--probe-port ${port}`);
    expect(stderr).not.toContain('    at ');
  });
});

it('a command that does not exist', async () => {
  const result = await run(['deploy']);

  expect(result.code).toBe(1);
  expect(result.stderr).toContain("unknown command 'deploy'");
});
