/** Strict validation of manifests against the schemas that kube-apiserver 1.36 publishes. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { Ajv } from 'ajv';
import type { KubeObject } from '../../../../operator/kube/object.ts';

type Schema = Record<string, unknown>;

const RECORDING = new URL('../../../../hack/devcluster/apiserver/data/openapi.json.gz', import.meta.url);

/** Fields that a schema does not name become errors. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema !== 'object' || schema === null) return schema;
  const entries = Object.entries(schema).map(
    ([key, value]) =>
      [key, key === '$ref' && typeof value === 'string' ? refOf(value) : strict(value)] as const,
  );
  const copy: Schema = Object.fromEntries(entries);
  const closed = typeof copy.type === 'string' && 'properties' in copy && !('additionalProperties' in copy);
  return closed ? { ...copy, additionalProperties: false } : copy;
}

function refOf(pointer: string): string {
  return `#/definitions/${pointer.slice(pointer.lastIndexOf('/') + 1)}`;
}

/** Returns a function that lists what is wrong with a manifest, as `path: problem`. */
export function kubernetesValidator(): (manifest: KubeObject) => string[] {
  const { schemas } = JSON.parse(gunzipSync(readFileSync(RECORDING)).toString()) as {
    schemas: Record<string, Schema>;
  };
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
  ajv.addSchema({ $id: 'kubernetes', definitions: strict(schemas) });
  const names = new Map(
    Object.entries(schemas).flatMap(([name, schema]) =>
      (
        (schema['x-kubernetes-group-version-kind'] ?? []) as {
          group: string;
          version: string;
          kind: string;
        }[]
      ).map(
        ({ group, version, kind }) => [`${group === '' ? '' : `${group}/`}${version} ${kind}`, name] as const,
      ),
    ),
  );
  return (manifest) => {
    const name = names.get(`${manifest.apiVersion} ${manifest.kind}`);
    if (name === undefined) return [`unknown kind ${manifest.apiVersion} ${manifest.kind}`];
    ajv.validate(`kubernetes#/definitions/${name}`, manifest);
    return (ajv.errors ?? []).map(
      (error) => `${error.instancePath}: ${error.message} ${JSON.stringify(error.params)}`,
    );
  };
}
