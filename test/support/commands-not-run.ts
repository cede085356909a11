/** Documented commands that test/e2e/documented-commands.e2e.test.ts does not run, and why. Each matches at least one. */
import type { Command } from './documented-commands.ts';

interface NotRun {
  command: RegExp;
  /** What it needs and a test does not have, or the file below test/ that runs it. */
  why: string;
}

export const NOT_RUN: readonly NotRun[] = [
  { command: /^docker (?:build|push) /, why: 'needs a container engine and a registry' },
  { command: /^hack\/kind\/\w+\.sh$/, why: 'needs Docker and kind' },
  { command: /^for image in .*\n *cosign verify /, why: 'needs cosign and published images' },
  { command: /^vllm bench serve /, why: 'needs vLLM; `npm run clients -- --engine vllm` runs it' },
  { command: /^npx vllm-operator tune /, why: 'sends load for hours' },
  {
    command: /^npx vllm-operator bench /,
    why: 'takes minutes; unit/docs checks its options, and unit/cli/bench.test.ts runs it',
  },
  {
    command: /^npx vllm-operator plan .* --measured /,
    why: 'needs what bench measures; unit/cli/plan-measured.test.ts runs it',
  },
  { command: /^npm ci$/, why: 'would replace node_modules below the tests' },
  { command: /^npm run demo$/, why: 'e2e/demo.e2e.test.ts' },
  { command: /^npm run demo -- --stay$/, why: 'e2e/demo.e2e.test.ts' },
  { command: /^npm run demo -- --engine vllm$/, why: 'e2e/demo-vllm.e2e.test.ts' },
  { command: /^npm test$/, why: 'it is what runs this' },
  { command: /^npx vitest run test\/unit$/, why: 'it is a part of what runs this' },
  {
    command: /^npm run (?:bench|clients|conformance|generate|build)\b/,
    why: 'takes minutes, or writes to the checkout',
  },
  {
    command: /^kubectl auth can-i --list /,
    why: 'integration/install/permissions.test.ts has the permissions; devcluster lists none',
  },
];

export const isRun = ({ text }: Command): boolean => !NOT_RUN.some(({ command }) => command.test(text));
