import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { isOurs, validateManifest } from '../../../operator/api/validate.ts';
import { celViolations } from './support/cel.ts';
import { specSchema } from './support/schemas.ts';

interface Manifest {
  kind: string;
  metadata: { name: string; namespace?: string };
  spec: { poolRef?: { name: string; namespace?: string }; scaling?: object };
}

const directory = join(import.meta.dirname, '../../../examples');
const files = globSync('*.yaml', { cwd: directory }).map((file) => [basename(file), read(file)] as const);

function read(file: string): Manifest[] {
  return parseAllDocuments(readFileSync(join(directory, file), 'utf8')).map(
    (document) => document.toJS() as Manifest,
  );
}

describe.each(files)('examples/%s', (_, manifests) => {
  const ours = manifests.filter((manifest) => isOurs(manifest));

  it('is valid', () => {
    expect(ours.flatMap((manifest) => validateManifest(manifest))).toEqual([]);
    const violations = ours.flatMap(({ kind, spec }) =>
      celViolations(specSchema(kind === 'InferencePool' ? kind : 'InferenceModel'), spec),
    );
    expect(violations).toEqual([]);
  });

  it('makes every namespace before it uses it', () => {
    const namespaces = new Set<string>();
    for (const { kind, metadata } of manifests) {
      if (kind === 'Namespace') namespaces.add(metadata.name);
      else expect(namespaces).toContain(metadata.namespace);
    }
  });

  it('has the pool of every model', () => {
    const pools = ours
      .filter(({ kind }) => kind === 'InferencePool')
      .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
    const models = ours.filter(({ kind }) => kind === 'InferenceModel');
    expect(models.length).toBeGreaterThan(0);
    for (const { metadata, spec } of models) {
      expect(pools).toContain(`${spec.poolRef?.namespace ?? metadata.namespace}/${spec.poolRef?.name}`);
    }
  });
});

describe('the examples together', () => {
  it('have no object twice, so that all can be applied to one cluster', () => {
    const names = files.flatMap(([, manifests]) =>
      manifests
        .filter(({ kind }) => kind !== 'Namespace')
        .map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`),
    );
    expect(names).toEqual([...new Set(names)]);
  });
});
