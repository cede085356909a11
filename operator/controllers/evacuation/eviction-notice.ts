/** What announces that a node is about to be taken away, and with it its engines. Pure. */
import type { KubeObject } from '../../kube/object.ts';
import type { Pod } from '../shared/workloads.ts';

interface Taint {
  key: string;
  value?: string;
  effect: string;
}

/** The fields of a Node that are read. */
export interface Node extends KubeObject {
  spec?: { taints?: Taint[]; unschedulable?: boolean };
  status?: { conditions?: { type: string; status: string; message?: string }[] };
}

export interface NodeNotice {
  /** The taint's key or the condition's type. */
  source: string;
  /** False where the node is only more likely to go than others. */
  certain: boolean;
  /** Taints that keep new pods away. */
  taints: readonly Taint[];
}

/** What is kept of a Node. */
export interface NoticedNode extends KubeObject {
  notice?: NodeNotice;
}

/**
 * Taints that say so. A plain cordon (`node.kubernetes.io/unschedulable`) does not: people cordon nodes that stay, and
 * `DeletionCandidateOfClusterAutoscaler` is taken back as often as not.
 */
const TAINTS: ReadonlyMap<string, { certain: boolean }> = new Map([
  // aws-node-termination-handler, --taint-node (pkg/node/node.go). A spot interruption comes 2 min ahead.
  ['aws-node-termination-handler/spot-itn', { certain: true }],
  ['aws-node-termination-handler/asg-lifecycle-termination', { certain: true }],
  ['aws-node-termination-handler/scheduled-maintenance', { certain: true }],
  // Only a higher risk (EC2: rebalance recommendations), but early enough to load a model elsewhere.
  ['aws-node-termination-handler/rebalance-recommendation', { certain: false }],
  // GKE and GoogleCloudPlatform/k8s-node-termination-handler, 30 s ahead.
  ['cloud.google.com/impending-node-termination', { certain: true }],
  // AKS node auto-drain, for Preempt, Terminate and Redeploy events (learn.microsoft.com/azure/aks/node-auto-drain).
  ['remediator.kubernetes.azure.com/unschedulable', { certain: true }],
  // Karpenter from v1 on, and before it; put on nodes before they are drained, interruptions included.
  ['karpenter.sh/disrupted', { certain: true }],
  ['karpenter.sh/disruption', { certain: true }],
  // cluster-autoscaler, utils/taints.
  ['ToBeDeletedByClusterAutoscaler', { certain: true }],
  // The machine is off already, and its kubelet cannot say so (k8s.io/cloud-provider/api; well-known taints).
  ['node.cloudprovider.kubernetes.io/shutdown', { certain: true }],
  ['node.kubernetes.io/out-of-service', { certain: true }],
]);

/**
 * Conditions of the node problem detector of AKS: scheduled events of the machine (30 s ahead for Preempt). The message
 * tells which; those that AKS itself answers with a drain count (learn.microsoft.com/azure/aks/node-auto-drain).
 */
const CONDITIONS: ReadonlySet<string> = new Set(['VMEventScheduled', 'PreemptionScheduled']);
const CERTAIN_EVENT = /^\s*(Preempt|Terminate|Redeploy)\b/;
const LIKELY_EVENT = /^\s*SpotRebalanceRecommendation\b/;

/** The notice of a node, if there is one. A certain one comes before a likely one. */
export function nodeNotice({ spec, status }: Node): NodeNotice | undefined {
  const found = [
    ...(spec?.taints ?? []).flatMap(ofTaint),
    ...(status?.conditions ?? []).flatMap(ofCondition),
  ];
  const notice = found.find(({ certain }) => certain) ?? found[0];
  if (!notice) return undefined;
  const taints = (spec?.taints ?? []).filter(({ effect }) => effect !== 'PreferNoSchedule');
  // The taint of a cordon follows the field a moment later.
  if (spec?.unschedulable) taints.push({ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' });
  return {
    ...notice,
    taints: taints.map(({ key, value, effect }) => ({ key, ...(value && { value }), effect })),
  };
}

/** A Node without what nobody reads: a cluster has thousands, and their status is most of it. */
export function keepNotice(node: NoticedNode): NoticedNode {
  const { apiVersion, kind, metadata } = node;
  const { name, uid, resourceVersion } = metadata;
  const notice = nodeNotice(node as Node);
  return {
    apiVersion,
    kind,
    metadata: { name, ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) },
    ...(notice && { notice }),
  };
}

/** Whether a pod like this one would not come to the node again. */
export function repels({ taints }: NodeNotice, { spec: { tolerations = [] } }: Pod): boolean {
  return taints.some(
    (taint) =>
      !tolerations.some(
        ({ key, operator, value = '', effect }) =>
          (!effect || effect === taint.effect) &&
          (!key ? operator === 'Exists' : key === taint.key) &&
          (operator === 'Exists' || value === (taint.value ?? '')),
      ),
  );
}

function ofTaint({ key }: Taint): { source: string; certain: boolean }[] {
  const known = TAINTS.get(key);
  return known ? [{ source: key, ...known }] : [];
}

function ofCondition({
  type,
  status,
  message = '',
}: {
  type: string;
  status: string;
  message?: string;
}): { source: string; certain: boolean }[] {
  if (!CONDITIONS.has(type) || status !== 'True') return [];
  if (CERTAIN_EVENT.test(message)) return [{ source: type, certain: true }];
  return LIKELY_EVENT.test(message) ? [{ source: type, certain: false }] : [];
}
