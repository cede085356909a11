import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { InferencePool } from '../../../operator/api/types.ts';
import { type Manifest, OPERATOR_VERSION } from '../../../operator/render/manifest.ts';
import { renderPool } from '../../../operator/render/pool.ts';
import { kubernetesValidator } from './support/kubernetes-schema.ts';
import { pool } from './support/objects.ts';

const aclHash = '0123456789abcdef'.repeat(4);
const files = { 'nginx.conf': 'events {}\n', 'start.sh': 'exec nginx\n' };

function render(of: InferencePool, routerFiles: Record<string, string> = files, hash = aclHash): Manifest[] {
  return renderPool({
    pool: of,
    cluster: { operatorNamespace: 'ops', operatorLabels: { app: 'operator' } },
    routerFiles,
    redis: { aclHash: hash },
  });
}

function named(
  manifests: readonly Manifest[],
  kind: string,
  name: RegExp,
): Manifest & { spec?: unknown; data?: Record<string, string> } {
  const found = manifests.find((manifest) => manifest.kind === kind && name.test(manifest.metadata.name));
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
}

function template(manifests: readonly Manifest[], name: RegExp): unknown {
  return (named(manifests, 'Deployment', name).spec as { template: unknown }).template;
}

describe('the routers of a pool', () => {
  it('get new configuration as a new immutable ConfigMap', () => {
    const before = named(render(pool('A100')), 'ConfigMap', /router/);
    const after = named(
      render(pool('A100'), { ...files, 'nginx.conf': 'events { }\n' }),
      'ConfigMap',
      /router/,
    );
    const reordered = named(
      render(pool('A100'), Object.fromEntries(Object.entries(files).reverse())),
      'ConfigMap',
      /router/,
    );
    expect(before).toMatchObject({ immutable: true, data: files });
    expect(before.metadata.name).toMatch(/^gpus-router-[0-9a-f]{8}$/);
    expect(after.metadata.name).not.toBe(before.metadata.name);
    expect(reordered.metadata.name).toBe(before.metadata.name);
    expect(JSON.stringify(template(render(pool('A100')), /router/))).toContain(`"${before.metadata.name}"`);
  });

  it('are not replaced for what they learn over the admin port', () => {
    const same = pool('A100', {
      capacity: { accelerators: 3 },
      admission: { maxQueue: 1 },
      engine: { maxModelLen: 1000 },
    });
    expect(template(render(same), /router/)).toEqual(template(render(pool('A100')), /router/));
  });

  it('run as many as the pool says, and never fewer during a rollout', () => {
    const { spec } = named(render(pool('A100', { router: { replicas: 5 } })), 'Deployment', /router/);
    expect(spec).toMatchObject({
      replicas: 5,
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    });
  });

  it('outlive a wake and the longest drain of the engines, also of models that set their own', () => {
    const grace = (drainTimeout: string) =>
      template(render(pool('A100', { engine: { drainTimeout } })), /router/) as {
        spec: { terminationGracePeriodSeconds: number };
      };
    expect(grace('5m').spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(3_600);
    expect(grace('2h').spec.terminationGracePeriodSeconds).toBeGreaterThan((120 + 15) * 60 + 10);
  });

  it('name their port after what they speak', () => {
    const ingress = { host: 'llm.example.com' };
    const ports = (tls?: object) => {
      const manifests = render(
        pool('A100', { router: { ingress, ...(tls && { tls: { secretName: 'cert' } }) } }),
      );
      const service = named(manifests, 'Service', /router/).spec as { ports: object[] };
      return [service.ports, named(manifests, 'Ingress', /router/).spec];
    };
    const backend = (name: string) => ({
      rules: [{ http: { paths: [{ backend: { service: { name: 'gpus-router', port: { name } } } }] } }],
    });
    expect(ports()).toMatchObject([[{ name: 'http', port: 80 }], backend('http')]);
    expect(ports({})).toMatchObject([[{ name: 'https', port: 80, targetPort: 'http' }], backend('https')]);
  });

  it('scale by the CPU of their own container, if the pool says so', () => {
    const autoscaling = { mode: 'HPA' as const, minReplicas: 3, maxReplicas: 9, targetCPUUtilization: 60 };
    const manifests = render(pool('A100', { router: { autoscaling } }));
    const hpa = named(manifests, 'HorizontalPodAutoscaler', /router/);
    expect(kubernetesValidator()(hpa)).toEqual([]);
    expect(hpa.spec).toEqual({
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'gpus-router' },
      minReplicas: 3,
      maxReplicas: 9,
      metrics: [
        {
          type: 'ContainerResource',
          containerResource: {
            name: 'cpu',
            container: 'router',
            target: { type: 'Utilization', averageUtilization: 60 },
          },
        },
      ],
    });
    expect(named(manifests, 'Deployment', /router/).spec).toMatchObject({ replicas: 3 });
  });

  it('take orders from the operator only', () => {
    expect(named(render(pool('A100')), 'NetworkPolicy', /router/).spec).toMatchObject({
      ingress: [
        { ports: [{ port: 8080 }] },
        {
          from: [
            {
              namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ops' } },
              podSelector: { matchLabels: { app: 'operator' } },
            },
          ],
          ports: [{ port: 8081 }],
        },
        { ports: [{ port: 8082 }] },
      ],
    });
  });

  it('use the image of the operator, or the one named', () => {
    const packageJson = new URL('../../../package.json', import.meta.url);
    expect(JSON.parse(readFileSync(packageJson, 'utf8'))).toMatchObject({ version: OPERATOR_VERSION });
    const image = (of: InferencePool) => JSON.stringify(template(render(of), /router/));
    expect(image(pool('A100'))).toMatch(/"image":"ghcr\.io\/vllm-operator\/router:[0-9.]+"/);
    expect(image(pool('A100', { router: { image: 'acme/router:1' } }))).toContain('"image":"acme/router:1"');
  });
});

describe('the Redis of a pool', () => {
  it('is there for a cache, unless there is another', () => {
    const redis = (of: InferencePool) => render(of).filter(({ metadata }) => metadata.name.includes('redis'));
    const external = { redis: { external: { secretRef: { name: 'redis', key: 'url' } } } };
    expect(redis(pool('A100')).map(({ kind }) => kind)).toEqual([
      'ServiceAccount',
      'ConfigMap',
      'NetworkPolicy',
      'Service',
      'Deployment',
    ]);
    expect(redis(pool('A100', { responseCache: { enabled: false } }))).toEqual([]);
    expect(redis(pool('A100', { responseCache: external }))).toEqual([]);
  });

  it('admits one user by the hash of its password, and lets it do what a cache needs', () => {
    const acl = named(render(pool('A100')), 'ConfigMap', /redis/).data?.['users.acl'] ?? '';
    expect(acl).toMatch(/^user default off /m);
    expect(acl).toContain(`user router on #${aclHash} ~*`);
    expect(acl).not.toMatch(/\+@|\+flushall|\+keys|\+config|nopass/);
    expect(acl.endsWith('\n')).toBe(true);
  });

  it('is replaced when its password changes', () => {
    const other = render(pool('A100'), files, 'f'.repeat(64));
    expect(template(other, /redis/)).not.toEqual(template(render(pool('A100')), /redis/));
  });

  it('keeps within the memory of the pool, with room above for itself', () => {
    const manifests = render(pool('A100', { responseCache: { redis: { managed: { memory: '512Mi' } } } }));
    expect(named(manifests, 'ConfigMap', /redis/).data?.['redis.conf']).toMatch(/^maxmemory 536870912$/m);
    expect(JSON.stringify(template(manifests, /redis/))).toContain('"limits":{"memory":"704Mi"}');
  });

  it('allows only the routers of the pool', () => {
    expect(named(render(pool('A100')), 'NetworkPolicy', /redis/).spec).toMatchObject({
      policyTypes: ['Ingress', 'Egress'],
      egress: [],
      ingress: [
        {
          from: [
            {
              podSelector: {
                matchLabels: { 'app.kubernetes.io/component': 'router', 'vllm-operator.dev/pool': 'gpus' },
              },
            },
          ],
          ports: [{ port: 6379 }],
        },
      ],
    });
  });
});
