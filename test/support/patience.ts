/** How long tests wait for a condition: far above what it takes, so that a busy machine fails no test. They look often. */
export const PATIENCE = { timeout: 60_000, interval: 10 };

/** The same for whole clusters. */
export const CLUSTER_PATIENCE = { timeout: 180_000, interval: 25 };
