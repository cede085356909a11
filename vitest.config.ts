import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { CLUSTER_PATIENCE, PATIENCE } from './test/support/patience.ts';

/** Vitest would leave one core free, and run one file at a time where there are two; but tests wait more than they work. */
const maxWorkers = Math.max(2, availableParallelism() - 1);

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 120_000,
          expect: { poll: PATIENCE },
          maxWorkers,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/{integration,conformance,clients}/**/*.test.ts'],
          globalSetup: 'test/integration/support/shared-cluster.ts',
          // An operator looks at the whole cluster: on one that all files share, two would count each other's work.
          maxWorkers: process.env.TEST_USE_EXISTING_CLUSTER === '1' ? 1 : maxWorkers,
          testTimeout: 240_000,
          hookTimeout: 240_000,
          expect: { poll: PATIENCE },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          expect: { poll: CLUSTER_PATIENCE },
          // After the others, two clusters at a time: they wait more than they work.
          sequence: { groupOrder: 1 },
          maxWorkers: 2,
        },
      },
    ],
  },
});
