/**
 * What a setting is where nobody sets it. Descriptions of the schema, the field reference and the code read it here. The
 * API server fills in those of `admission`; the others apply once a model is merged with its pool, or stay open for others
 * to set.
 */
export const DEFAULTS = {
  admission: {
    queueTimeout: '30s',
    wakeTimeout: '15m',
  },
  engine: {
    pipelineParallelSize: 1,
    dataParallelSize: 1,
    /** Of a large model from a slow registry, with its compilation. */
    startupTimeout: '30m',
    drainTimeout: '5m',
  },
  scaling: {
    /** A model without `spec.scaling` has as many. */
    minReplicas: 1,
    idleTimeout: '180s',
    mode: 'Auto',
    timeZone: 'UTC',
    /** Share of what a replica runs at once: a new one is up before the others are full. Knative's target utilization. */
    targetUtilization: 0.7,
  },
} as const;
