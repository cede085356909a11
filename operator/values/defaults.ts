/**
 * Default values of settings. The schema's descriptions, the field reference and the code use them. The API server fills in
 * those of `admission` that wait. The others apply after a model was merged with its pool.
 */
export const DEFAULTS = {
  admission: {
    queueTimeout: '30s',
    wakeTimeout: '15m',
    batchWindow: '0ms',
    /** The limit of the 99th percentile in the alert VllmLatencyP99High. */
    batchWindowMaxP95: '2s',
    adaptiveConcurrency: { min: 32, max: 64 },
  },
  engine: {
    pipelineParallelSize: 1,
    dataParallelSize: 1,
    /** Enough for a large model from a slow registry, including compilation. */
    startupTimeout: '30m',
    drainTimeout: '5m',
  },
  scaling: {
    /** The number of replicas of a model without `spec.scaling`. */
    minReplicas: 1,
    idleTimeout: '180s',
    mode: 'Auto',
    timeZone: 'UTC',
    /**
     * Share of a replica's capacity. A new replica is then ready before the others are full. Knative's default target
     * utilization.
     */
    targetUtilization: 0.7,
  },
} as const;
