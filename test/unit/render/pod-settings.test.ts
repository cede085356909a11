import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../../operator/render/manifest.ts';
import { renderModel } from '../../../operator/render/model.ts';
import { renderPool } from '../../../operator/render/pool.ts';
import { InvalidSpecError } from '../../../operator/values/spec-issue.ts';
import { resolved } from '../model/support/resolve.ts';
import { kubernetesValidator } from './support/kubernetes-schema.ts';
import { model, pool } from './support/objects.ts';
import { type PodSpec, violations } from './support/restricted.ts';

const qwen = 'hf://Qwen/Qwen2.5-7B-Instruct';
const cluster = { operatorNamespace: 'vllm-operator-system' };
const strict = kubernetesValidator();

type Pools = Parameters<typeof pool>[1];
type Template = NonNullable<NonNullable<Parameters<typeof model>[1]>['template']>;

interface Template2 {
  metadata: { labels: Record<string, string>; annotations?: Record<string, string> };
  spec: PodSpec & Record<string, unknown>;
}

function template(manifests: readonly Manifest[], name: string): Template2 {
  const found = manifests.find(
    (manifest) => manifest.kind === 'Deployment' && manifest.metadata.name === name,
  );
  if (found === undefined) throw new Error(`no Deployment ${name}`);
  expect(strict(found)).toEqual([]);
  const pod = (found as unknown as { spec: { template: Template2 } }).spec.template;
  expect(violations(pod.spec)).toEqual([]);
  return pod;
}

function engine(settings: Template, pools: Pools = {}, type = 'A100', source = qwen): Template2 {
  const manifests = renderModel(resolved(pool(type, pools), model(source, { template: settings })));
  return template(manifests, 'vllm-assistant');
}

function issues(settings: Template, pools: Pools = {}): string[] {
  try {
    engine(settings, pools);
  } catch (error) {
    if (error instanceof InvalidSpecError) return error.issues.map(({ field }) => field);
    throw error;
  }
  return [];
}

function ofPool(pools: Pools, name: string): Template2 {
  const routerFiles = { 'nginx.conf': '', 'start.sh': '' };
  return template(
    renderPool({ pool: pool('A100', pools), cluster, routerFiles, redis: { aclHash: 'a'.repeat(64) } }),
    name,
  );
}

/** Everything that routers, Redis and engines take alike. */
const COMMON = {
  labels: { team: 'a' },
  annotations: { 'sidecar.istio.io/inject': 'false' },
  nodeSelector: { role: 'infra' },
  tolerations: [{ key: 'infra', operator: 'Exists' }],
  priorityClassName: 'high',
  runtimeClassName: 'gvisor',
  schedulerName: 'volcano',
  imagePullSecrets: [{ name: 'registry' }],
  imagePullPolicy: 'Always',
  hostAliases: [{ ip: '10.0.0.1', hostnames: ['hub.example.com'] }],
  dnsPolicy: 'None',
  dnsConfig: { nameservers: ['10.0.0.2'] },
  hostUsers: false,
  securityContext: { runAsUser: 1234, runAsGroup: 1, fsGroup: 2, supplementalGroups: [3] },
  resources: { requests: { cpu: '3' } },
} as const satisfies Template;

describe.each<[string, (settings: object) => Template2]>([
  ['engines', (settings) => engine(settings)],
  ['routers', (settings) => ofPool({ router: settings }, 'gpus-router')],
  ['Redis', (settings) => ofPool({ responseCache: { redis: { managed: settings } } }, 'gpus-redis')],
])('%s', (_what, render) => {
  const mutable = structuredClone(COMMON) as object;

  it('take what pods need', () => {
    const { metadata, spec } = render(mutable);
    expect(metadata.labels).toMatchObject({ team: 'a', 'app.kubernetes.io/managed-by': 'vllm-operator' });
    expect(metadata.annotations).toMatchObject(COMMON.annotations);
    const { labels, annotations, imagePullPolicy, resources, tolerations, ...pod } = COMMON;
    expect(spec).toMatchObject({ ...pod, securityContext: { ...pod.securityContext, runAsNonRoot: true } });
    expect(spec.tolerations).toEqual(expect.arrayContaining([...tolerations]));
    expect(spec.containers[0]).toMatchObject({ imagePullPolicy, resources: { requests: { cpu: '3' } } });
  });

  it('spread and are placed as asked', () => {
    const podAntiAffinity = {
      requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname' }],
    };
    const { spec } = render({
      affinity: { podAntiAffinity },
      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'rack', whenUnsatisfiable: 'DoNotSchedule' }],
    });
    expect(spec.affinity).toMatchObject({ podAntiAffinity });
    expect(spec.topologySpreadConstraints).toMatchObject([
      { topologyKey: 'rack', labelSelector: { matchLabels: expect.any(Object) as unknown } },
    ]);
  });
});

describe('who chooses users and groups', () => {
  const Platform = { userIds: 'Platform' } as const;
  const left = (spec: PodSpec): unknown[] =>
    Object.keys(spec.securityContext ?? {}).filter((key) => /user|group$/i.test(key));

  it.each<[string, () => Template2]>([
    ['engines', () => engine({}, Platform)],
    ['routers', () => ofPool(Platform, 'gpus-router')],
    ['Redis', () => ofPool(Platform, 'gpus-redis')],
  ])('of %s is the platform, if the pool says so', (_what, render) => {
    expect(left(render().spec)).toEqual([]);
  });

  it('is a template that names some', () => {
    expect(engine({ securityContext: { fsGroup: 7 } }, Platform).spec.securityContext).toMatchObject({
      fsGroup: 7,
    });
  });

  it("is the pool for the groups of AMD's device files, and a model adds its own", () => {
    const groups = (...args: Parameters<typeof engine>): unknown =>
      (engine(...args).spec.securityContext as { supplementalGroups?: number[] }).supplementalGroups;
    expect(groups({}, {}, 'MI300X')).toEqual([44, 109]);
    const accelerator = { supplementalGroups: [39, 105] };
    expect(groups({}, { accelerator }, 'MI300X')).toEqual([39, 105]);
    expect(
      groups({ securityContext: { supplementalGroups: [105, 1000] } }, { accelerator }, 'MI300X'),
    ).toEqual([39, 105, 1000]);
  });
});

describe('the pods of one model', () => {
  it('get the variables of a Secret', () => {
    const envFrom = [
      { secretRef: { name: 's3' } },
      { prefix: 'X_', configMapRef: { name: 'c', optional: true } },
    ];
    expect(engine({ envFrom }).spec.containers[0]).toMatchObject({ envFrom });
  });

  it('run init containers and sidecars, as restricted as the engine', () => {
    const { spec } = engine({
      volumes: [{ name: 'data', emptyDir: {} }],
      initContainers: [
        { name: 'fetch', image: 'busybox', volumeMounts: [{ name: 'data', mountPath: '/data' }] },
        {
          name: 'proxy',
          image: 'envoy',
          restartPolicy: 'Always',
          securityContext: { readOnlyRootFilesystem: true, capabilities: { add: ['NET_BIND_SERVICE'] } },
        },
      ],
    });
    const containers = spec.initContainers as PodSpec['containers'];
    expect(containers.map(({ name }) => name)).toEqual(['fetch', 'proxy']);
    expect(containers[0]?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    });
    expect(containers[1]?.securityContext).toMatchObject({
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
    });
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['no name', { image: 'a' }, 'name'],
    ['the name of the engine', { name: 'engine', image: 'a' }, 'name'],
    ['no image', { name: 'a' }, 'image'],
    ['a field that no container has', { name: 'a', image: 'a', imgae: 'b' }, 'imgae'],
    [
      'an accelerator',
      { name: 'a', image: 'a', resources: { limits: { 'nvidia.com/gpu': 1 } } },
      'resources.limits',
    ],
    ['a device claim', { name: 'a', image: 'a', resources: { claims: [{ name: 'x' }] } }, 'resources.claims'],
    [
      'a port of the node',
      { name: 'a', image: 'a', ports: [{ containerPort: 1, hostPort: 80 }] },
      'ports[0].hostPort',
    ],
    [
      'privileges',
      { name: 'a', image: 'a', securityContext: { privileged: true } },
      'securityContext.privileged',
    ],
    ['root', { name: 'a', image: 'a', securityContext: { runAsUser: 0 } }, 'securityContext.runAsUser'],
    [
      'root by another name',
      { name: 'a', image: 'a', securityContext: { runAsNonRoot: false } },
      'securityContext.runAsNonRoot',
    ],
    [
      'capabilities',
      { name: 'a', image: 'a', securityContext: { capabilities: { add: ['SYS_ADMIN'] } } },
      'securityContext.capabilities.add',
    ],
    [
      'no seccomp profile',
      { name: 'a', image: 'a', securityContext: { seccompProfile: { type: 'Unconfined' } } },
      'securityContext.seccompProfile',
    ],
    [
      'an SELinux role',
      { name: 'a', image: 'a', securityContext: { seLinuxOptions: { role: 'x' } } },
      'securityContext.seLinuxOptions',
    ],
    [
      'all of /proc',
      { name: 'a', image: 'a', securityContext: { procMount: 'Unmasked' } },
      'securityContext.procMount',
    ],
    ['a restart policy of its own', { name: 'a', image: 'a', restartPolicy: 'Never' }, 'restartPolicy'],
    [
      'a volume that is not there',
      { name: 'a', image: 'a', volumeMounts: [{ name: 'x', mountPath: '/x' }] },
      'volumeMounts[0].name',
    ],
    ['text where an object belongs', { name: 'a', image: 'a', securityContext: 'none' }, 'securityContext'],
  ])('have no init container with %s', (_what, container, field) => {
    expect(issues({ initContainers: [container] })).toEqual([`spec.template.initContainers[0].${field}`]);
  });

  it('have init containers with all that the standard restricted admits', () => {
    const securityContext = {
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      runAsUser: 1000,
      runAsGroup: 0,
      seccompProfile: { type: 'Localhost', localhostProfile: 'a.json' },
      appArmorProfile: { type: 'RuntimeDefault' },
      procMount: 'Default',
      seLinuxOptions: { level: 's0:c1,c2', type: 'container_t' },
      capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
    };
    expect(issues({ initContainers: [{ name: 'a', image: 'a', securityContext }] })).toEqual([]);
  });

  it('have no two init containers of one name', () => {
    const twice = { name: 'a', image: 'a' };
    expect(issues({ initContainers: [twice, twice] })).toEqual(['spec.template.initContainers[1].name']);
  });

  it('stay on the nodes of the pool', () => {
    const pools = {
      accelerator: { nodeSelector: { pool: 'a100' }, priorityClassName: 'low', runtimeClassName: 'kata' },
    };
    expect(engine({ nodeSelector: { disk: 'ssd' } }, pools).spec.nodeSelector).toEqual({
      pool: 'a100',
      disk: 'ssd',
    });
    expect(issues({ nodeSelector: { pool: 'h100' } }, pools)).toEqual(['spec.template.nodeSelector.pool']);
    expect(issues({ priorityClassName: 'high' }, pools)).toEqual(['spec.template.priorityClassName']);
    expect(issues({ runtimeClassName: 'runc' }, pools)).toEqual(['spec.template.runtimeClassName']);
  });

  it('need the product of the pool in every alternative of their own', () => {
    const term = (key: string) => ({ matchExpressions: [{ key, operator: 'Exists' }] });
    const required = 'requiredDuringSchedulingIgnoredDuringExecution';
    const { spec } = engine({
      affinity: { nodeAffinity: { [required]: { nodeSelectorTerms: [term('disk'), term('zone')] } } },
    });
    const { nodeAffinity } = spec.affinity as {
      nodeAffinity: Record<string, { nodeSelectorTerms: { matchExpressions: { key: string }[] }[] }>;
    };
    expect(
      nodeAffinity[required]?.nodeSelectorTerms.map(({ matchExpressions }) =>
        matchExpressions.map(({ key }) => key),
      ),
    ).toEqual([
      ['disk', 'nvidia.com/gpu.product'],
      ['zone', 'nvidia.com/gpu.product'],
    ]);
  });

  it('have more shared memory with a volume of their own there, which counts as memory', () => {
    const { spec } = engine({
      volumes: [{ name: 'bigshm', emptyDir: { medium: 'Memory', sizeLimit: '32Gi' } }],
      volumeMounts: [{ name: 'bigshm', mountPath: '/dev/shm' }],
    });
    const mounts = spec.containers[0]?.volumeMounts as { mountPath: string; name: string }[];
    expect(mounts.filter(({ mountPath }) => mountPath === '/dev/shm')).toEqual([
      { name: 'bigshm', mountPath: '/dev/shm' },
    ]);
    expect(spec.volumes?.map(({ name }) => name)).toEqual(['home', 'tmp', 'bigshm']);
    expect(spec.containers[0]?.resources).toMatchObject({ requests: { memory: '128Gi' } });
  });

  it('have weights at a path of theirs', () => {
    const settings: Template = {
      volumes: [{ name: 'models', nfs: { server: 'nfs.example.com', path: '/models' } }],
      volumeMounts: [{ name: 'models', mountPath: '/models' }],
    };
    const manifests = renderModel(
      resolved(pool('A100'), model('file:///models/qwen', { template: settings })),
    );
    const deployment = manifests.find(({ kind }) => kind === 'Deployment') as unknown as {
      spec: { template: Template2 };
    };
    const [container] = deployment.spec.template.spec.containers;
    expect(container?.args).toEqual(expect.arrayContaining(['/models/qwen']));
    expect(container?.volumeMounts).toContainEqual({ name: 'models', mountPath: '/models' });
  });

  it('get further resources of the pool, and no others', () => {
    const resources = { 'rdma/hca_shared': '1' };
    const { spec } = engine({}, { accelerator: { resources } }, 'H100x4');
    expect(spec.containers[0]?.resources).toMatchObject({
      requests: { 'nvidia.com/gpu': '4', 'rdma/hca_shared': '1' },
      limits: { 'nvidia.com/gpu': '4', 'rdma/hca_shared': '1' },
    });
  });
});
