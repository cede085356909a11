import { numberAt, objectsAt, stringAt, stringsAt } from '../json.ts';
import type { Store } from '../store.ts';

/** Finds the address of a backend of a Service port; undefined when none is ready. */
export type ServiceResolver = (
  namespace: string,
  name: string,
  port: number,
) => Promise<{ host: string; port: number } | undefined>;

/** Resolves Services through their EndpointSlices, to a random ready endpoint. */
export function endpointSliceResolver(store: Store, random: () => number): ServiceResolver {
  return (namespace, name, port) => {
    const service = store.get('services', namespace, name);
    const portName = stringAt(
      objectsAt(service ?? {}, 'spec', 'ports').find((each) => each.port === port),
      'name',
    );
    const found: { host: string; port: number }[] = [];
    for (const slice of store.list('discovery.k8s.io/endpointslices', namespace)) {
      if (slice.metadata.labels?.['kubernetes.io/service-name'] !== name) continue;
      const target = objectsAt(slice, 'ports').find((each) => stringAt(each, 'name') === portName);
      const number = numberAt(target, 'port');
      if (number === undefined) continue;
      for (const endpoint of objectsAt(slice, 'endpoints')) {
        const conditions = endpoint.conditions as { ready?: boolean } | undefined;
        if (conditions?.ready === false) continue;
        for (const host of stringsAt(endpoint, 'addresses')) found.push({ host, port: number });
      }
    }
    return Promise.resolve(found[Math.floor(random() * found.length)]);
  };
}
