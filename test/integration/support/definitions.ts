/** The custom resource definitions of crds/ on a test's API server. */
import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { CustomResourceDefinition } from '../../../operator/api/crd.ts';
import type { KubeClient } from '../../../operator/kube/client.ts';
import type { KubeObject, ResourceType } from '../../../operator/kube/object.ts';

const DIRECTORY = new URL('../../../crds/', import.meta.url);

import { eventually } from '../../support/eventually.ts';

export const CUSTOM_RESOURCE_DEFINITIONS: ResourceType = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};

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
  await eventually(`${metadata.name} is served`, () => client.list(type, { pageSize: 1 }));
}
