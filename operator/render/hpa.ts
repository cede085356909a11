import type { ResolvedModel } from '../model/resolved-model.ts';
import type { ScalingSpec } from '../model/resolved-scaling.ts';
import { canonicalQuantity } from '../values/quantity.ts';
import { MODEL_METRIC_LABEL, REQUESTS_METRIC } from '../vllm/requests-metric.ts';
import { engineLabels } from './labels.ts';
import { child, type Manifest } from './manifest.ts';
import { engineName, labelValue } from './names.ts';

type ScalingRules = NonNullable<NonNullable<ScalingSpec['behavior']>['scaleUp']>;

/**
 * The HorizontalPodAutoscaler of a model, on the metric that the operator serves. It scales between one and the maximum.
 * The operator handles zero, and an HPA does not scale a Deployment with zero replicas.
 */
export function renderHpa(
  { pool, model, target, scaling }: ResolvedModel,
  bounds: { minReplicas: number; maxReplicas: number },
): Manifest {
  const name = engineName(model.metadata.name);
  const minReplicas = Math.max(1, bounds.minReplicas);
  const { scaleUp, scaleDown } = scaling.kind === 'Range' ? scaling.behavior : {};
  const behavior = {
    ...(scaleUp && { scaleUp: rules(scaleUp) }),
    ...(scaleDown && { scaleDown: rules(scaleDown) }),
  };
  return child(
    model,
    { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' },
    { name, labels: engineLabels(model.metadata, pool.metadata) },
    {
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
        minReplicas,
        maxReplicas: Math.max(minReplicas, bounds.maxReplicas),
        metrics: [
          {
            type: 'External',
            external: {
              metric: {
                name: REQUESTS_METRIC,
                selector: { matchLabels: { [MODEL_METRIC_LABEL]: labelValue(model.metadata.name) } },
              },
              target: { type: 'AverageValue', averageValue: canonicalQuantity(String(target)) },
            },
          },
        ],
        ...(Object.keys(behavior).length > 0 && { behavior }),
      },
    },
  );
}

/** The fields have the names of the HPA. `tolerance` needs Kubernetes 1.35, or its feature gate from 1.33 on. */
function rules({ tolerance, ...others }: ScalingRules): object {
  return { ...others, ...(tolerance !== undefined && { tolerance: canonicalQuantity(tolerance) }) };
}
