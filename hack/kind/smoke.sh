#!/bin/sh
# Serves a model in the cluster of the current context as a team would: apply, Ready, an answer, sleep and wake, clean deletion.
# usage: hack/kind/smoke.sh    (ENGINE_IMAGE=…, NAMESPACE=…; up.sh has made the cluster, or any other has the operator)
set -eu
namespace=${NAMESPACE:-vllm-operator-smoke}
engine=${ENGINE_IMAGE:-ghcr.io/vllm-operator/vllm-sim:kind}
say() { echo "$(date +%T) $*"; }

kubectl create namespace "$namespace" --dry-run=client -o yaml | kubectl apply -f -
kubectl label namespace "$namespace" pod-security.kubernetes.io/enforce=restricted --overwrite
trap 'kubectl delete namespace "$namespace" --wait=false' EXIT

kubectl apply -n "$namespace" -f - <<YAML
apiVersion: vllm-operator.dev/v1alpha1
kind: InferencePool
metadata: {name: small}
spec:
  accelerator: {type: CPU, cpu: {cores: 1, memoryGiB: 6}}
  engine: {image: "$engine", version: v0.32.0, maxModelLen: 2048}
---
apiVersion: vllm-operator.dev/v1alpha1
kind: InferenceModel
metadata: {name: qwen}
spec:
  poolRef: {name: small}
  model: {source: "hf://Qwen/Qwen2.5-0.5B-Instruct"}
  scaling: {minReplicas: 0, maxReplicas: 1, idleTimeout: 30s}
YAML

# The service's proxy of the API server: no port has to be forwarded.
service="/api/v1/namespaces/$namespace/services/small-router:http/proxy"
chat() {
  kubectl create --raw "$service/v1/chat/completions" -f - <<JSON
{"model": "qwen", "max_tokens": 4, "messages": [{"role": "user", "content": "$1"}]}
JSON
}
answered() { case $1 in *'"choices"'*) ;; *) echo "not an answer: $1" >&2; exit 1 ;; esac; }

say "waiting for the routers"
kubectl wait -n "$namespace" --for=condition=Ready inferencepool/small --timeout=180s
# A router is ready before it has the routes of a model that was created at the same time.
kubectl wait -n "$namespace" --for=condition=Available inferencemodel/qwen --timeout=180s
say "a request that wakes the model"
answered "$(chat hello)"
say "waiting for the model to sleep"
kubectl wait -n "$namespace" --for=jsonpath='{.status.state}'=Idle inferencemodel/qwen --timeout=180s
say "a request that wakes it again"
answered "$(chat again)"
say "deleting"
kubectl delete -n "$namespace" inferencemodel/qwen inferencepool/small --timeout=120s
kubectl wait -n "$namespace" --for=delete deployments,services,networkpolicies \
  -l app.kubernetes.io/managed-by=vllm-operator --timeout=120s
say "done"
