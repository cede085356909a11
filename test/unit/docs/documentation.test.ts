/** What the documentation refers to exists, and its manifests are ones that the operator takes. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { REASONS } from '../../../operator/api/reasons.ts';
import { isOurs, validateManifest } from '../../../operator/api/validate.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { parseLoad } from '../../../operator/planning/load.ts';

const root = join(import.meta.dirname, '../../..');
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
].sort();

interface Block {
  language: string;
  text: string;
}

const read = (page: string): string => readFileSync(join(root, page), 'utf8');

function blocks(page: string): Block[] {
  return [...read(page).matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({
    language,
    text,
  }));
}

/** Text without code, in which brackets mean something else. */
function prose(page: string): string {
  return read(page)
    .replaceAll(/^```.*?^```$/gms, '')
    .replaceAll(/`[^`\n]*`/g, '');
}

/** As GitHub makes them: lower case, words joined by hyphens, everything else left out. */
function anchors(page: string): Set<string> {
  const headings = read(page)
    .replaceAll(/^```.*?^```$/gms, '')
    .matchAll(/^#+ (.*)$/gm);
  return new Set(
    [...headings].map(([, text = '']) =>
      text
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

function brokenLinks(page: string): string[] {
  const targets = [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return targets.filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const [path = '', anchor] = target.split('#');
    const file = path === '' ? page : relative(root, join(root, dirname(page), path));
    if (!existsSync(join(root, file))) return true;
    return anchor !== undefined && !(statSync(join(root, file)).isFile() && anchors(file).has(anchor));
  });
}

/** Files of the repository that commands name. Those in angle brackets and those that a reader makes are not. */
function missingFiles(page: string): string[] {
  const shell = blocks(page).filter(({ language }) => language === 'sh');
  const named = shell.flatMap(
    ({ text }) => text.match(/(?:charts|crds|docs|examples|hack|manifests|test)\/[\w./-]*/g) ?? [],
  );
  return named.filter((path) => !existsSync(join(root, path)));
}

function scripts(page: string): string[] {
  return blocks(page).flatMap(({ text }) =>
    [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name),
  );
}

const manifests = pages.flatMap((page) =>
  blocks(page)
    .filter(({ language }) => language === 'yaml')
    .flatMap(({ text }, index) =>
      parseAllDocuments(text).map((document) => ({
        where: `${page}, block ${index + 1}`,
        errors: document.errors,
        object: document.toJS() as KubeObject & { spec: unknown },
      })),
    ),
);

describe.each(pages)('%s', (page) => {
  it('has links that lead somewhere', () => {
    expect(brokenLinks(page)).toEqual([]);
  });

  it('names files and scripts that exist', () => {
    expect(missingFiles(page)).toEqual([]);
    const { scripts: known } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    expect(scripts(page).filter((name) => !(name in known))).toEqual([]);
  });
});

it('readers come from README.md to every page', () => {
  const found = new Set(['README.md']);
  for (const page of found)
    for (const [, target = ''] of prose(page).matchAll(/\]\(([^)\s#:]+)(?:#[^)]*)?\)/g)) {
      const file = relative(root, join(root, dirname(page), target));
      if (pages.includes(file)) found.add(file);
      // A link to a folder leads to what is in it.
      for (const inside of pages) if (dirname(inside) === file) found.add(inside);
    }
  expect(pages.filter((page) => !found.has(page))).toEqual([]);
});

describe('the threat model', () => {
  const rows = [...read('docs/security.md').matchAll(/^\| claim +\| test +\|\n.*\n((?:\|.*\n)+)/gm)].flatMap(
    ([, body = '']) => body.trimEnd().split('\n'),
  );
  it('has claims', () => {
    expect(rows.length).toBeGreaterThan(30);
  });
  it.each(rows)('names a test that is there: %s', (row) => {
    const [, , cell = ''] = row.split('|');
    const files = [...cell.matchAll(/\]\(\.\.\/([^)]+)\)/g)].map(([, file = '']) => file);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      expect(file).toMatch(/^test\/.*\.test\.ts$/);
      expect(existsSync(join(root, file)), file).toBe(true);
    }
    for (const [, file = '', name = ''] of cell.matchAll(/\]\(\.\.\/([^)]+)\): "([^"]+)"/g))
      expect(read(file), file).toContain(name);
  });
});

describe('manifests in the documentation', () => {
  it('are YAML', () => {
    expect(manifests.filter(({ errors }) => errors.length > 0).map(({ where }) => where)).toEqual([]);
  });

  const ours = manifests.filter(({ object }) => isOurs(Object(object) as KubeObject));
  it('show both kinds', () => {
    expect(new Set(ours.map(({ object }) => object.kind))).toEqual(
      new Set(['InferencePool', 'InferenceModel']),
    );
  });
  it.each(ours)('$where: $object.kind $object.metadata.name is valid', ({ object }) => {
    expect(validateManifest(object)).toEqual([]);
  });
});

describe('parts of manifests', () => {
  const parts = manifests
    .filter(({ object }) => object !== null && !('kind' in object))
    .map(({ where, object }) => ({ where, part: object as unknown as Record<string, unknown> }));
  const specs = parts.filter(({ part }) => 'spec' in part);

  it.each(specs)('$where: is a part of a pool or a model', ({ part }) => {
    const whole = (kind: string, required: object) => ({
      apiVersion: 'vllm-operator.dev/v1alpha1',
      kind,
      metadata: { name: 'part', namespace: 'default' },
      spec: { ...required, ...(part.spec as object) },
    });
    const problems = [
      validateManifest(whole('InferencePool', { accelerator: { type: 'L4' } })),
      validateManifest(whole('InferenceModel', { poolRef: { name: 'pool' }, model: { source: 'hf://a/b' } })),
    ];
    expect(problems).toContainEqual([]);
  });

  const loads = parts.filter(({ part }) => 'load' in part);
  it.each(loads)('$where: is a load', ({ part }) => {
    expect(() => parseLoad(part.load)).not.toThrow();
  });

  const rest = parts.filter((one) => !specs.includes(one) && !loads.includes(one));
  it.each(rest)('$where: are values of the chart', ({ part }) => {
    const schema = JSON.parse(read('charts/vllm-operator/values.schema.json')) as object;
    const valid = new Ajv({ strict: false }).compile(schema);
    expect(valid(part), JSON.stringify(valid.errors)).toBe(true);
  });
});

describe('names in the documentation are those in the code:', () => {
  it('reasons', () => {
    const headings = [...read('docs/troubleshooting.md').matchAll(/^### `(\w+)`$/gm)].map(
      ([, reason = '']) => reason,
    );
    expect(headings.length).toBeGreaterThan(0);
    expect(headings.filter((reason) => !(reason in REASONS))).toEqual([]);
  });

  it('metrics that only this operator has, all of them', () => {
    const page = read('docs/operations.md');
    const files = readdirSync(join(root, 'operator'), { recursive: true, encoding: 'utf8' });
    const sources = files.filter((name) => name.endsWith('.ts')).map((name) => join('operator', name));
    const known = sources.flatMap((path) =>
      [...read(path).matchAll(/name: '(vllm_operator_\w+)'/g)].map(([, name = '']) => name),
    );
    expect(known.length).toBeGreaterThan(5);
    const named = (name: string) => page.includes(`\`${name}\``);
    const short = (name: string) => name.replace('vllm_operator_metrics_api', '…');
    expect(known.filter((name) => !named(name) && !named(short(name)))).toEqual([]);
  });

  it('metrics of the router, all of them', () => {
    const lua = read('operator/router/nginx/metrics.lua');
    const help = lua.slice(lua.indexOf('local HELP'), lua.indexOf('\n}\n'));
    const known = [...help.matchAll(/^ {2}(\w+) = \{/gm)].map(([, name = '']) => name);
    const page = read('docs/operations.md');
    const table = page.slice(page.indexOf('### Router'), page.indexOf('## Upgrade'));
    const named = [...table.matchAll(/`(?:vllm_router|…)_(\w+)`/g)].map(([, name = '']) => name);
    expect(named.sort()).toEqual(known.sort());
  });
});
