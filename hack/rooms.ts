/**
 * The rooms of the repository, lowest first, and the rooms that each may import: only what stands above it here.
 * `operator/*` is every room of the operator. A file belongs to the longest name that its path begins with. The table in
 * docs/architecture.md says the same; test/unit/source/rooms.test.ts holds code and table to it.
 */
export const ROOMS: Readonly<Record<string, readonly string[]>> = {
  'operator/values': [],
  'operator/kube': [],
  'operator/vllm': ['operator/values'],
  'operator/api': ['operator/values', 'operator/kube', 'operator/vllm'],
  'operator/model': ['operator/values', 'operator/kube', 'operator/api', 'operator/vllm'],
  'operator/render': ['operator/values', 'operator/kube', 'operator/api', 'operator/vllm', 'operator/model'],
  'operator/pki': ['operator/kube'],
  'operator/router': ['operator/values', 'operator/kube', 'operator/api', 'operator/model', 'operator/pki'],
  'operator/scaling': [
    'operator/values',
    'operator/kube',
    'operator/api',
    'operator/model',
    'operator/router',
  ],
  'operator/metrics-api': ['operator/values', 'operator/kube', 'operator/vllm', 'operator/pki'],
  'operator/controllers': [
    'operator/values',
    'operator/kube',
    'operator/api',
    'operator/vllm',
    'operator/model',
    'operator/render',
    'operator/pki',
    'operator/router',
    'operator/scaling',
    'operator/metrics-api',
  ],
  'operator/cli': [
    'operator/values',
    'operator/kube',
    'operator/api',
    'operator/vllm',
    'operator/model',
    'operator/render',
    'operator/router',
    'operator/controllers',
  ],
  operator: ['operator/kube', 'operator/cli'],
  'hack/vllm-sim': ['operator/vllm'],
  'hack/vllm': [],
  'hack/vllm-flags': ['operator/values', 'operator/vllm', 'hack/vllm'],
  'hack/kubectl': [],
  'hack/devcluster': ['operator/values', 'operator/kube', 'operator/vllm', 'operator/pki', 'hack/kubectl'],
  'hack/generate': ['operator/*', 'hack/kubectl'],
  hack: ['hack/kubectl', 'hack/devcluster', 'hack/generate'],
  'test/support': ['operator/api', 'operator/kube', 'operator/router'],
  'test/unit': [
    'operator/*',
    'hack/vllm-sim',
    'hack/vllm',
    'hack/vllm-flags',
    'hack',
    'hack/generate',
    'test/support',
  ],
  'test/integration': [
    'operator/*',
    'hack/vllm-sim',
    'hack/kubectl',
    'hack/devcluster',
    'test/support',
    'test/unit',
  ],
  'test/conformance': ['hack/vllm-sim', 'hack/vllm', 'test/support', 'test/integration'],
  'test/clients': [
    'operator/router',
    'hack/vllm-sim',
    'hack/vllm',
    'test/support',
    'test/integration',
    'test/conformance',
  ],
  'test/e2e': ['operator/*', 'hack/kubectl', 'hack/devcluster', 'test/support', 'test/integration'],
  'test/bench': ['operator/*', 'hack/devcluster', 'test/support', 'test/integration', 'test/e2e'],
};

const SHARED = 'what both need is not in test/support yet';

/** Imports against the arrows that are still there, and why. The list may only get shorter. */
export const EXCEPTIONS: Readonly<Record<string, string>> = {
  'test/unit/install/rules.test.ts -> test/integration/support/install.ts': SHARED,
};
