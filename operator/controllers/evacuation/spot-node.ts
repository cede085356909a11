/** Whether a node is one that its cloud may take away, which costs less. */

/** Labels that say so, and their value: GKE, AKS, managed node groups of EKS, Karpenter. */
const SPOT_LABELS: Readonly<Record<string, string>> = {
  'cloud.google.com/gke-spot': 'true',
  'cloud.google.com/gke-preemptible': 'true',
  'kubernetes.azure.com/scalesetpriority': 'spot',
  'eks.amazonaws.com/capacityType': 'SPOT',
  'karpenter.sh/capacity-type': 'spot',
};

/** Whether the labels of a node say that it is a spot node. */
export function isSpotNode(labels: Readonly<Record<string, string>> = {}): boolean {
  return Object.entries(SPOT_LABELS).some(([name, value]) => labels[name] === value);
}
