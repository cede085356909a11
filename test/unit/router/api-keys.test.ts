import { createHash } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { keyCommand } from '../../../operator/cli/key.ts';
import {
  API_KEYS_LABEL,
  type ApiKeyConfigMap,
  createKey,
  MAX_BYTES_PER_NAMESPACE,
  MAX_KEYS_PER_NAMESPACE,
  parseApiKeys,
} from '../../../operator/router/api-keys.ts';

const hash = (text: string) => createHash('sha256').update(text).digest('hex');
const A = hash('a');
const B = hash('b');

function configMap(namespace: string, data: Record<string, string>, name = 'keys'): ApiKeyConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name }, data };
}
const one = (text: string) => parseApiKeys([configMap('team-a', { ci: text })]);

describe('parseApiKeys', () => {
  it('reads YAML and JSON; the tenant defaults to the namespace', () => {
    const { keys, issues } = parseApiKeys([
      configMap('team-a', {
        ci: `sha256: ${A.toUpperCase()}\nmodels: [llama, mistral]\nrequestsPerMinute: 60\n`,
        bot: JSON.stringify({ sha256: B, tenant: 'team-a/bot', tokensPerMinute: 1000 }),
      }),
    ]);
    expect(issues).toEqual([]);
    expect(keys).toEqual(
      [
        { sha256: A, tenant: 'team-a', models: ['llama', 'mistral'], requestsPerMinute: 60 },
        { sha256: B, tenant: 'team-a/bot', tokensPerMinute: 1000 },
      ].sort((x, y) => (x.sha256 < y.sha256 ? -1 : 1)),
    );
  });

  it.each(['team-b', 'team-b/ci', 'team-ab', 'team', 'team-a/', 'team-a/../team-b', '/team-a', ''])(
    'lets no key of team-a act for tenant "%s"',
    (tenant) => {
      const { keys, issues } = one(JSON.stringify({ sha256: A, tenant }));
      expect(keys).toEqual([]);
      expect(issues).toMatchObject([
        { namespace: 'team-a', configMap: 'keys', entry: 'ci', field: 'data[ci].tenant' },
      ]);
    },
  );

  it.each([
    ['not a mapping', 'hello', 'data[ci]'],
    ['nothing', '', 'data[ci]'],
    ['broken YAML', '{sha256: [', 'data[ci]'],
    ['a duplicate field', `sha256: ${A}\nsha256: ${B}`, 'data[ci]'],
    ['aliases of aliases', '{a: &a [x, x], b: &b [*a, *a], c: [*b, *b]}', 'data[ci].sha256'],
    ['nesting without end', '['.repeat(1_500), 'data[ci]'],
    ['an unknown field', `{"sha256": "${A}", "admin": true}`, 'data[ci]'],
    ['a short hash', 'sha256: abc', 'data[ci].sha256'],
    ['no model at all', `{"sha256": "${A}", "models": []}`, 'data[ci].models'],
    ['a limit of zero', `{"sha256": "${A}", "requestsPerMinute": 0}`, 'data[ci].requestsPerMinute'],
    ['a text as limit', `{"sha256": "${A}", "tokensPerMinute": "many"}`, 'data[ci].tokensPerMinute'],
    ['megabytes', `sha256: ${A}\n#${'x'.repeat(20_000)}`, 'data[ci]'],
    ['an object as proto', `{"sha256": "${A}", "__proto__": {"tenant": "team-b"}}`, 'data[ci]'],
  ])('refuses %s, and says which entry', (_what, text, field) => {
    const { keys, issues } = one(text);
    expect(keys).toEqual([]);
    expect(issues).toHaveLength(1);
    expect(issues[0]).toMatchObject({ entry: 'ci', field });
  });

  it('one bad entry does not take the others with it', () => {
    const { keys, issues } = parseApiKeys([
      configMap('team-a', { bad: 'x', good: `sha256: ${A}` }),
      configMap('team-b', { good: `sha256: ${B}` }),
    ]);
    expect(keys.map(({ tenant }) => tenant).sort()).toEqual(['team-a', 'team-b']);
    expect(issues).toHaveLength(1);
  });

  it('warns of a key in the clear and never repeats it', () => {
    const { key } = createKey();
    const texts = [
      key,
      `sha256: ${key}`,
      `{sha256: ${A}, ${key}: 1}`,
      `[${key}`,
      `{sha256: ${A}, tenant: ${key}}`,
    ];
    const results = texts.map(one);
    expect(results.flatMap(({ keys }) => keys)).toEqual([]);
    expect(results[0]?.issues[0]?.reason).toMatch(/in plain text/);
    expect(JSON.stringify(results)).not.toContain(key);
  });

  it('refuses a hash that two namespaces claim to both, unless one of them holds it', () => {
    const owner = configMap('team-b', { ci: `sha256: ${A}` });
    const thief = configMap('team-a', { stolen: `sha256: ${A}` });
    const contested = parseApiKeys([owner, thief]);
    expect(contested.keys).toEqual([]);
    expect(contested.issues.map(({ namespace }) => namespace).sort()).toEqual(['team-a', 'team-b']);

    const holders = new Map([[A, 'team-b']]);
    const held = parseApiKeys([thief, owner], holders);
    expect(held.keys).toEqual([{ sha256: A, tenant: 'team-b' }]);
    expect(held.issues).toMatchObject([{ namespace: 'team-a', entry: 'stolen' }]);
    // While the owner's ConfigMap is replaced, the claim of the other is the only one.
    expect(parseApiKeys([thief], holders).keys).toEqual([]);
  });

  it('takes the first of two entries of one namespace, whatever order they come in', () => {
    const first = configMap('team-a', { ci: JSON.stringify({ sha256: A, requestsPerMinute: 1 }) }, 'a');
    const second = configMap('team-a', { ci: JSON.stringify({ sha256: A, requestsPerMinute: 9 }) }, 'b');
    expect(parseApiKeys([second, first])).toEqual(parseApiKeys([first, second]));
    expect(parseApiKeys([second, first]).keys).toEqual([
      { sha256: A, tenant: 'team-a', requestsPerMinute: 1 },
    ]);
    expect(parseApiKeys([second, first]).issues).toMatchObject([{ configMap: 'b' }]);
  });

  it('bounds what one namespace can add, and only that namespace', () => {
    const many = Object.fromEntries(
      Array.from({ length: MAX_KEYS_PER_NAMESPACE + 5 }, (_, i) => [`k${i}`, `sha256: ${hash(String(i))}`]),
    );
    const { keys, issues } = parseApiKeys([
      configMap('team-a', many),
      configMap('team-b', { ci: `sha256: ${A}` }),
    ]);
    expect(keys).toHaveLength(MAX_KEYS_PER_NAMESPACE + 1);
    expect(issues).toMatchObject([{ namespace: 'team-a', reason: expect.stringContaining('1000 keys') }]);
  });

  it('limits the text of a namespace, too, and reports that once', () => {
    const text = `sha256: ${A}\n#${'x'.repeat(1_900)}`;
    const data = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${i}`, text]));
    const read = vi.fn((_: ApiKeyConfigMap, entry: string) => ({ sha256: hash(entry), tenant: 'team-a' }));
    const maps = ['a', 'b', 'c', 'd'].map((name) => configMap('team-a', data, name));
    const { keys, issues } = parseApiKeys(maps, new Map(), read);
    expect(read.mock.calls.length).toBe(Math.floor(MAX_BYTES_PER_NAMESPACE / text.length));
    expect(keys.length).toBeLessThan(200);
    expect(issues.filter(({ reason }) => reason.includes('KiB'))).toHaveLength(1);
  });

  it('has a list of claims to one key for each claim once', () => {
    const claimants = Array.from({ length: 20 }, (_, i) =>
      configMap(
        `team-${i}`,
        Object.fromEntries(Array.from({ length: 1_000 }, (_unused, n) => [`k${n}`, `sha256: ${A}`])),
      ),
    );
    const { keys, issues } = parseApiKeys(claimants);
    expect([keys.length, issues.length]).toEqual([0, 20_000]);
  });
});

describe('createKey', () => {
  it('has 256 random bits behind a prefix, and their hash', () => {
    const { key, sha256 } = createKey((n) => new Uint8Array(n).fill(255));
    expect(key).toBe(`vk-${'_'.repeat(42)}8`);
    expect(sha256).toBe(hash(key));
    expect(createKey().key).not.toBe(createKey().key);
  });
});

describe('vllm-operator key create', () => {
  async function run(...args: string[]) {
    const out: string[] = [];
    const err: string[] = [];
    const io = { out: (text: string) => void out.push(text), err: (text: string) => void err.push(text) };
    const command = keyCommand(io).exitOverride();
    for (const sub of command.commands) {
      sub.exitOverride().configureOutput({ writeErr: io.err });
    }
    const failure = await command.parseAsync(['create', ...args], { from: 'user' }).then(
      () => undefined,
      (error: Error) => error.message,
    );
    return { out: out.join(''), err: err.join(''), failure };
  }

  it.each([
    [
      '--requests-per-minute',
      'zero',
      /--requests-per-minute <n>.*'zero' is invalid. Use an integer from 1 to/,
    ],
    ['--tokens-per-minute', '-3', /--tokens-per-minute <n>.*'-3' is invalid. Use an integer from 1 to/],
    ['--models', 'llama,', /--models <names>.*'llama,' is invalid. Use comma-separated names/],
  ])('names the option and what it takes: %s %s', async (option, value, message) => {
    const { out, failure } = await run('-n', 'team-a', '--name', 'ci', option, value);
    expect(failure).toMatch(message);
    expect(out).toBe('');
  });

  it('prints a ConfigMap that admits exactly the key it shows', async () => {
    const { out, err } = await run(
      '-n',
      'team-a',
      '--name',
      'ci',
      '--models',
      'llama, mistral',
      '--requests-per-minute',
      '60',
    );
    const [key = ''] = err.split('\n');
    const manifest: ApiKeyConfigMap = parse(out);
    expect(out).not.toContain(key);
    expect(manifest.metadata.labels).toEqual({ [API_KEYS_LABEL]: 'true' });
    expect(parseApiKeys([manifest])).toEqual({
      keys: [{ sha256: hash(key), tenant: 'team-a', models: ['llama', 'mistral'], requestsPerMinute: 60 }],
      issues: [],
    });
  });

  it('refuses what the operator would refuse, before it shows a key', async () => {
    for (const wrong of [
      ['-n', 'team-a', '--name', 'ci', '--tenant', 'team-b'],
      ['-n', 'team-a', '--name', 'ci', '--requests-per-minute', 'many'],
      ['-n', 'Team A', '--name', 'ci'],
      ['--name', 'ci'],
    ]) {
      const { out, err, failure } = await run(...wrong);
      expect(failure, wrong.join(' ')).toBeDefined();
      expect(out).toBe('');
      expect(err).not.toContain('vk-');
    }
  });
});
