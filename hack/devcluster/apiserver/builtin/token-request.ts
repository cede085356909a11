import type { Resource } from '../resource.ts';
import type { ServerContext } from '../server-context.ts';

const NAME = 'io.k8s.api.authentication.v1.TokenRequest';

/** The kind behind `serviceaccounts/token`, which is no resource of its own. */
export function tokenRequestResource(server: ServerContext): Resource | undefined {
  const schema = server.lookup(NAME);
  if (!schema) return undefined;
  const same = <T>(object: T): T => object;
  return {
    group: 'authentication.k8s.io',
    version: 'v1',
    kind: 'TokenRequest',
    listKind: '',
    plural: 'tokenrequests',
    singular: 'tokenrequest',
    namespaced: true,
    shortNames: [],
    categories: [],
    verbs: ['create'],
    collection: '',
    subresources: [],
    schema,
    type: server.types.of(schema),
    hasGeneration: false,
    hasStatus: true,
    behaviour: {},
    fromStored: same,
    toStored: same,
  };
}
