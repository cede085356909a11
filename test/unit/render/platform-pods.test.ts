/** Variables and volumes that a pool gives to its routers and its Redis. */
import { describe, expect, it } from 'vitest';
import { resolvePool } from '../../../operator/model/resolve-pool.ts';
import { renderPool } from '../../../operator/render/pool.ts';
import { InvalidSpecError } from '../../../operator/values/spec-issue.ts';
import { kubernetesValidator } from './support/kubernetes-schema.ts';
import { pool } from './support/objects.ts';
import { type PodSpec, violations } from './support/restricted.ts';

const strict = kubernetesValidator();

function pod(spec: Parameters<typeof pool>[1], name: string): PodSpec {
  const manifests = renderPool({
    pool: pool('A100', spec),
    cluster: { operatorNamespace: 'vllm-operator-system' },
    routerFiles: { 'nginx.conf': '', 'start.sh': '' },
    redis: { aclHash: 'a'.repeat(64) },
  });
  const found = manifests.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === name);
  if (found === undefined) throw new Error(`no Deployment ${name}`);
  expect(strict(found)).toEqual([]);
  const { template } = (found as unknown as { spec: { template: { spec: PodSpec } } }).spec;
  expect(violations(template.spec)).toEqual([]);
  return template.spec;
}

describe.each<[string, (settings: object) => PodSpec, string]>([
  ['routers', (settings) => pod({ router: settings }, 'gpus-router'), 'spec.router'],
  [
    'Redis',
    (settings) => pod({ responseCache: { redis: { managed: settings } } }, 'gpus-redis'),
    'spec.responseCache.redis.managed',
  ],
])('%s of a pool', (what, render, field) => {
  const wrong = (settings: object): string[] => {
    const spec =
      what === 'routers' ? { router: settings } : { responseCache: { redis: { managed: settings } } };
    try {
      resolvePool(pool('A100', spec));
    } catch (error) {
      if (error instanceof InvalidSpecError) return error.issues.map((issue) => issue.field);
      throw error;
    }
    return [];
  };
  const volumes = [{ name: 'ca', configMap: { name: 'company-ca' } }];

  it('take further variables and volumes', () => {
    const env = [
      { name: 'TZ', value: 'Europe/Berlin' },
      { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'a', key: 'b' } } },
    ];
    const volumeMounts = [{ name: 'ca', mountPath: '/etc/company', readOnly: true }];
    expect(wrong({ env, volumes, volumeMounts })).toEqual([]);
    const spec = render({ env, volumes, volumeMounts });
    const [container] = spec.containers;
    expect(container?.env).toEqual(expect.arrayContaining(env));
    expect(container?.volumeMounts).toEqual(expect.arrayContaining(volumeMounts));
    expect(spec.volumes).toEqual(expect.arrayContaining([{ name: 'ca', configMap: { name: 'company-ca' } }]));
  });

  it.each<[string, object, string]>([
    ['a name of the operator', { volumes: [{ name: 'config', emptyDir: {} }] }, 'volumes[0].name'],
    ['a name twice', { volumes: [...volumes, ...volumes] }, 'volumes[1].name'],
    ['a mount without a volume', { volumeMounts: [{ name: 'x', mountPath: '/x' }] }, 'volumeMounts[0].name'],
    ['no path', { volumes, volumeMounts: [{ name: 'ca' }] }, 'volumeMounts[0].mountPath'],
    [
      'all of /etc',
      { volumes, volumeMounts: [{ name: 'ca', mountPath: '/a/../etc/' }] },
      'volumeMounts[0].mountPath',
    ],
  ])('have no volumes with %s', (_, settings, at) => {
    expect(wrong(settings)).toEqual([`${field}.${at}`]);
  });
});

it('routers keep the variables that they need', () => {
  const env = [{ name: 'POD_IP', value: '10.0.0.1' }];
  expect(() => resolvePool(pool('A100', { router: { env } }))).toThrow(
    'spec.router.env[0].name "POD_IP": the operator sets this variable; remove it',
  );
});
