/** The custom resource definitions of crds/ on a test's API server. */
import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { CustomResourceDefinition } from '../../../operator/api/crd.ts';
import type { KubeClient } from '../../../operator/kube/client.ts';
import { sleep } from '../../../operator/kube/clock.ts';
import { isKubeError } from '../../../operator/kube/errors.ts';
import type { KubeObject, ResourceType } from '../../../operator/kube/object.ts';

const DIRECTORY = new URL('../../../crds/', import.meta.url);

export const CUSTOM_RESOURCE_DEFINITIONS: ResourceType = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};

const PATIENCE_MS = 60_000;

/** Applies them, those that are there already included, and waits until their objects are served. */
export async function installDefinitions(client: KubeClient): Promise<void> {
  for (const file of readdirSync(DIRECTORY)) {
    const definition = parse(readFileSync(new URL(file, DIRECTORY), 'utf8')) as KubeObject;
    await client.apply(CUSTOM_RESOURCE_DEFINITIONS, definition, { force: true });
    await untilServed(client, definition as KubeObject & Pick<CustomResourceDefinition, 'spec'>);
  }
}

/** The condition `Established` comes a little before the API server answers for the new kind, so that we ask for it. */
export async function untilServed(
  client: KubeClient,
  { metadata, spec }: KubeObject & Pick<CustomResourceDefinition, 'spec'>,
): Promise<void> {
  const { group, names, scope, versions } = spec;
  const version = versions[0]?.name ?? '';
  const type = { group, version, kind: names.kind, plural: names.plural, namespaced: scope === 'Namespaced' };
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      await client.list(type, { pageSize: 1 });
      return;
    } catch (error) {
      if (!isKubeError(error, 'NotFound') || performance.now() > end)
        throw new Error(`${metadata.name} is not served`, { cause: error });
      await sleep(25);
    }
  }
}
