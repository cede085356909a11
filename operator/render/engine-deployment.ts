import { createHash } from 'node:crypto';
import { describeProfile } from '../model/engine-profile.ts';
import type { ResolvedModel } from '../model/resolved-model.ts';
import { type ClaimModes, isBoundToOneNode } from '../model/shared-claims.ts';
import { ENGINE_PORT, engineProbes, engineShutdown, terminationGraceSeconds } from './engine-lifecycle.ts';
import { engineResources } from './engine-resources.ts';
import { engineScheduling } from './engine-scheduling.ts';
import { engineVolumes } from './engine-volumes.ts';
import { fromRegistry, type ImageDefaults } from './image-defaults.ts';
import { engineLabels, engineSelector } from './labels.ts';
import { child, type Manifest } from './manifest.ts';
import { engineName } from './names.ts';
import { CONTAINER_SECURITY, restricted } from './pod-security.ts';
import { containerFields, podFields } from './pod-settings.ts';
import { storedContainer } from './stored-form.ts';

/** Hash of the pod spec. Pods with the same value run the same engine. */
const ENGINE_HASH_ANNOTATION = 'vllm-operator.dev/engine-hash';

/** The profile of the engine, and which settings of it apply. For people. */
const PROFILE_ANNOTATION = 'vllm-operator.dev/engine-profile';

/** User and group of vLLM's images. Files there are writable for group 0. */
const ENGINE_USER = 2000;
const ENGINE_GROUP = 0;

/** Groups `video` and `render` of Ubuntu hosts, which own the device files of AMD GPUs. */
const AMD_DEVICE_GROUPS = [44, 109];

/**
 * Time in addition to the startup timeout for a node to appear and the image to be pulled, before a rollout counts as
 * failed.
 */
const SCHEDULING_SECONDS = 1200;

interface DeploymentCircumstances {
  roomForSurge: boolean;
  claimModes: ClaimModes;
  /** Initial replicas; undefined if the field must not be applied. */
  replicas: number | undefined;
  images: ImageDefaults;
}

function podSpec({ pool, model, engine }: ResolvedModel, images: ImageDefaults): Record<string, unknown> {
  const { volumes, volumeMounts } = engineVolumes(engine, model);
  const template = model.spec.template;
  const deviceGroups = engine.accelerator.vendor === 'amd' ? AMD_DEVICE_GROUPS : [];
  const identity = {
    user: ENGINE_USER,
    group: ENGINE_GROUP,
    supplementalGroups: pool.spec.accelerator.supplementalGroups ?? deviceGroups,
  };
  return {
    serviceAccountName: template?.serviceAccountName ?? engineName(model.metadata.name),
    automountServiceAccountToken: template?.automountServiceAccountToken ?? false,
    // A Service named vllm would set VLLM_PORT, which vLLM would use as its own setting.
    enableServiceLinks: false,
    terminationGracePeriodSeconds: terminationGraceSeconds(engine),
    ...podFields(pool, template, identity, engineSelector(model.metadata), images),
    ...engineScheduling(engine, pool, model),
    ...(template?.initContainers === undefined
      ? {}
      : {
          initContainers: template.initContainers.map((container) => restricted(storedContainer(container))),
        }),
    containers: [
      {
        name: 'engine',
        image: engine.imageIsDefault ? fromRegistry(engine.image, images) : engine.image,
        ...(engine.command === undefined ? {} : { command: engine.command }),
        args: engine.args,
        ports: [{ name: 'http', containerPort: ENGINE_PORT, protocol: 'TCP' }],
        env: engine.env,
        ...(template?.envFrom === undefined ? {} : { envFrom: template.envFrom }),
        ...containerFields(template),
        resources: engineResources(engine, model),
        ...engineProbes(engine),
        lifecycle: engineShutdown(engine),
        // The kubelet copies the last log lines to the pod's status, where the operator reads them.
        terminationMessagePolicy: 'FallbackToLogsOnError',
        securityContext: CONTAINER_SECURITY,
        volumeMounts,
      },
    ],
    volumes,
  };
}

/**
 * A surge needs accelerators for one more replica and volumes that another node can mount. Otherwise the old pod has to
 * stop first.
 */
function strategy(
  { model }: ResolvedModel,
  { roomForSurge, claimModes }: Pick<DeploymentCircumstances, 'roomForSurge' | 'claimModes'>,
): object {
  const surge = roomForSurge && !isBoundToOneNode(model.spec, claimModes);
  return {
    type: 'RollingUpdate',
    rollingUpdate: surge ? { maxSurge: 1, maxUnavailable: 0 } : { maxSurge: 0, maxUnavailable: 1 },
  };
}

/**
 * The engines of a model. The pod template depends only on the engine's settings, so that pods are not replaced for any
 * other reason.
 */
export function renderEngineDeployment(
  resolved: ResolvedModel,
  { replicas, images, ...circumstances }: DeploymentCircumstances,
): Manifest {
  const { pool, model, engine } = resolved;
  const labels = engineLabels(model.metadata, pool.metadata);
  const spec = podSpec(resolved, images);
  const hash = createHash('sha256').update(JSON.stringify(spec)).digest('hex').slice(0, 16);
  const template = model.spec.template;
  return child(
    model,
    { apiVersion: 'apps/v1', kind: 'Deployment' },
    {
      name: engineName(model.metadata.name),
      labels,
      ...(engine.profile && { annotations: { [PROFILE_ANNOTATION]: describeProfile(engine.profile) } }),
    },
    {
      spec: {
        selector: { matchLabels: engineSelector(model.metadata) },
        ...(replicas !== undefined && { replicas }),
        strategy: strategy(resolved, circumstances),
        progressDeadlineSeconds: engine.startupTimeoutSeconds + SCHEDULING_SECONDS,
        revisionHistoryLimit: 3,
        template: {
          metadata: {
            labels: { ...template?.labels, ...labels },
            annotations: { ...template?.annotations, [ENGINE_HASH_ANNOTATION]: hash },
          },
          spec,
        },
      },
    },
  );
}
