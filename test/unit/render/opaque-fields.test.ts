/** What the schema leaves to Kubernetes may hold anything: it is rendered or refused in words, and never a crash. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { renderModel } from '../../../operator/render/model.ts';
import { InvalidSpecError } from '../../../operator/values/spec-issue.ts';
import { resolved } from '../model/support/resolve.ts';
import { model, pool } from './support/objects.ts';

const anything = fc.jsonValue({ maxDepth: 3 });
const objectOf = (...names: string[]) =>
  fc.record(Object.fromEntries(names.map((name) => [name, anything])), { requiredKeys: [] });
const listOf = (items: fc.Arbitrary<Record<string, unknown>>) => fc.array(items, { maxLength: 3 });

const term = fc.record({ matchExpressions: listOf(objectOf('key', 'operator', 'values')) });
const affinity = fc.record(
  {
    nodeAffinity: fc.record({
      requiredDuringSchedulingIgnoredDuringExecution: fc.record({
        nodeSelectorTerms: fc.oneof(anything, fc.array(term, { minLength: 1, maxLength: 3 })),
      }),
    }),
    podAffinity: objectOf('requiredDuringSchedulingIgnoredDuringExecution'),
  },
  { requiredKeys: [] },
);
const volume = fc.record(
  { name: fc.constantFrom('a', 'b'), emptyDir: fc.oneof(anything, objectOf('medium', 'sizeLimit')) },
  { requiredKeys: ['name'] },
);
const mount = fc.record({
  name: fc.oneof(fc.constantFrom('a', 'b'), anything),
  mountPath: fc.oneof(fc.constantFrom('/dev/shm', '/a'), anything),
});
const container = objectOf(
  ...['name', 'image', 'ports', 'resources', 'securityContext', 'volumeMounts', 'restartPolicy', 'other'],
);

const template = fc.record(
  {
    affinity,
    dnsConfig: objectOf('nameservers'),
    hostAliases: listOf(objectOf('ip', 'hostnames')),
    topologySpreadConstraints: listOf(objectOf('topologyKey', 'labelSelector')),
    volumes: listOf(volume),
    volumeMounts: listOf(mount),
    initContainers: listOf(
      fc.oneof(
        container,
        fc.record({
          name: fc.constant('x'),
          image: fc.constant('y'),
          securityContext: objectOf('capabilities'),
        }),
      ),
    ),
  },
  { requiredKeys: [] },
);

it('renders or refuses whatever a template holds', () => {
  fc.assert(
    fc.property(template, (settings) => {
      let asked: ReturnType<typeof model>;
      try {
        asked = model('hf://Qwen/Qwen3-8B', { template: settings as never });
      } catch {
        // The schema refuses it.
        return;
      }
      try {
        expect(renderModel(resolved(pool('A100'), asked)).length).toBeGreaterThan(0);
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidSpecError);
      }
    }),
    { numRuns: 500 },
  );
});
