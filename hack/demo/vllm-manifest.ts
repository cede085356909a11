/** Folders of the tiny models that the manifest names. */
export interface TinyFolders {
  'tiny-chat': string;
  'tiny-adapter': string;
}

/** A pool without accelerators, and a model with an adapter, both from folders of this machine. */
export function vllmManifest(folders: TinyFolders): string {
  return `apiVersion: v1
kind: Namespace
metadata:
  name: team-a
---
apiVersion: vllm-operator.dev/v1alpha1
kind: InferencePool
metadata:
  name: cpu
  namespace: team-a
spec:
  accelerator:
    type: CPU
    cpu: # of one replica
      cores: 2
      memoryGiB: 4
  capacity:
    accelerators: 1 # replicas, where there are no accelerators
  responseCache:
    enabled: true
    ttl: 1h
  admission:
    wakeTimeout: 20m
  engine:
    extraArgs:
      - --enforce-eager # starts in half of the time, as nothing is compiled
---
apiVersion: vllm-operator.dev/v1alpha1
kind: InferenceModel
metadata:
  name: tiny
  namespace: team-a
spec:
  poolRef:
    name: cpu
  model:
    source: file://${folders['tiny-chat']}
  engine:
    batching:
      maxNumSeqs: 8
    lora:
      maxRank: 8
      adapters:
        - name: tiny-adapter
          source: file://${folders['tiny-adapter']}
  scaling:
    minReplicas: 1
    maxReplicas: 1
`;
}
