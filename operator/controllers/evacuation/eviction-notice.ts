/** Detects taints and conditions that announce the removal of a node. Pure. */

import type { KubeObject } from '../../kube/object.ts';
import type { Pod } from '../shared/workloads.ts';
import { isSpotNode } from './spot-node.ts';

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
  /** Key of the taint, or type of the condition. */
  source: string;
  /** False if the node is only more likely to be removed than others. */
  certain: boolean;
  /** Taints that repel new pods. */
  taints: readonly Taint[];
}

/** A Node as it is cached. */
export interface NoticedNode extends KubeObject {
  notice?: NodeNotice;
  /** Whether the cloud may take it away. */
  spot?: boolean;
}

/**
 * Taints that announce a removal. A plain cordon (`node.kubernetes.io/unschedulable`) does not, because cordoned nodes
 * often stay. `DeletionCandidateOfClusterAutoscaler` does not either, because it is often withdrawn.
 */
const TAINTS: ReadonlyMap<string, { certain: boolean }> = new Map([
  // aws-node-termination-handler, --taint-node (pkg/node/node.go). A spot interruption is announced 2 minutes ahead.
  ['aws-node-termination-handler/spot-itn', { certain: true }],
  ['aws-node-termination-handler/asg-lifecycle-termination', { certain: true }],
  ['aws-node-termination-handler/scheduled-maintenance', { certain: true }],
  // Only an elevated risk (EC2 rebalance recommendation), but early enough to load the model on another node.
  ['aws-node-termination-handler/rebalance-recommendation', { certain: false }],
  // GKE and GoogleCloudPlatform/k8s-node-termination-handler, 30 seconds ahead.
  ['cloud.google.com/impending-node-termination', { certain: true }],
  // AKS node auto-drain, for Preempt, Terminate and Redeploy events (learn.microsoft.com/azure/aks/node-auto-drain).
  ['remediator.kubernetes.azure.com/unschedulable', { certain: true }],
  // Karpenter since v1, and before v1. Set before a node is drained, also for interruptions.
  ['karpenter.sh/disrupted', { certain: true }],
  ['karpenter.sh/disruption', { certain: true }],
  // cluster-autoscaler, utils/taints.
  ['ToBeDeletedByClusterAutoscaler', { certain: true }],
  // The machine is already off, and its kubelet cannot report that (k8s.io/cloud-provider/api; well-known taints).
  ['node.cloudprovider.kubernetes.io/shutdown', { certain: true }],
  ['node.kubernetes.io/out-of-service', { certain: true }],
]);

/**
 * Conditions set by the AKS node problem detector for scheduled events of the machine (30 seconds ahead for Preempt).
 * The message names the event. Only the events that AKS answers with a drain count
 * (learn.microsoft.com/azure/aks/node-auto-drain).
 */
const CONDITIONS: ReadonlySet<string> = new Set(['VMEventScheduled', 'PreemptionScheduled']);
const CERTAIN_EVENT = /^\s*(Preempt|Terminate|Redeploy)\b/;
const LIKELY_EVENT = /^\s*SpotRebalanceRecommendation\b/;

/** The notice of a node, if it has one. A certain notice takes precedence over a likely one. */
export function nodeNotice({ spec, status }: Node): NodeNotice | undefined {
  const found = [
    ...(spec?.taints ?? []).flatMap(ofTaint),
    ...(status?.conditions ?? []).flatMap(ofCondition),
  ];
  const notice = found.find(({ certain }) => certain) ?? found[0];
  if (!notice) return undefined;
  const taints = (spec?.taints ?? []).filter(({ effect }) => effect !== 'PreferNoSchedule');
  // The taint of a cordon is set a moment after the field.
  if (spec?.unschedulable) taints.push({ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' });
  return {
    ...notice,
    taints: taints.map(({ key, value, effect }) => ({ key, ...(value && { value }), effect })),
  };
}

/** Trims a Node before it is cached. A cluster has thousands of nodes, and most of their size is status. */
export function trimNode(node: NoticedNode): NoticedNode {
  const { apiVersion, kind, metadata } = node;
  const { name, uid, resourceVersion } = metadata;
  const notice = nodeNotice(node as Node);
  return {
    apiVersion,
    kind,
    metadata: { name, ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) },
    ...(notice && { notice }),
    ...(isSpotNode(metadata.labels) && { spot: true }),
  };
}

/** Whether the taints would keep a pod with these tolerations from being scheduled to the node again. */
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
