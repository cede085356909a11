/** `envtest`: kube-apiserver and etcd from KUBEBUILDER_ASSETS; `existing`: the cluster of KUBECONFIG. */
export type ApiServerKind = 'existing' | 'envtest' | 'devcluster';

/** Which API server the environment names for tests. */
export function whichApiServer(): ApiServerKind {
  const { KUBEBUILDER_ASSETS, KUBECONFIG, TEST_USE_EXISTING_CLUSTER } = process.env;
  if (TEST_USE_EXISTING_CLUSTER === '1' && KUBECONFIG) return 'existing';
  return KUBEBUILDER_ASSETS ? 'envtest' : 'devcluster';
}
