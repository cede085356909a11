#!/bin/sh
# Makes a kind cluster with this checkout in it: both images, a simulated vLLM as engine image, and the chart.
# usage: hack/kind/up.sh    (needs docker, kind, kubectl, helm, and `npm ci`; CLUSTER=name, KIND_IMAGE=kindest/node:…)
set -eu
cd "$(dirname "$0")/../.."
cluster=${CLUSTER:-vllm-operator}
for tool in docker kind kubectl helm; do
  command -v "$tool" >/dev/null || { echo "$tool is not installed" >&2; exit 1; }
done
[ -x node_modules/.bin/esbuild ] || { echo "npm packages are missing: npm ci" >&2; exit 1; }

if ! kind get clusters | grep -qx "$cluster"; then
  kind create cluster --name "$cluster" ${KIND_IMAGE:+--image "$KIND_IMAGE"} --wait 120s
fi
kubectl config use-context "kind-$cluster"

docker build --quiet --target operator --tag ghcr.io/vllm-operator/operator:kind .
docker build --quiet --target router --tag ghcr.io/vllm-operator/router:kind .
# vLLM's image is some 20 GB: what a small machine cannot load is simulated (hack/vllm-sim/README.md).
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
node_modules/.bin/esbuild hack/vllm-sim/main.ts --bundle --platform=node --format=esm --target=node24 --log-level=error \
  --banner:js="import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" \
  --outfile="$work/vllm-sim.mjs"
docker build --quiet --tag ghcr.io/vllm-operator/vllm-sim:kind --file hack/kind/vllm-sim.Dockerfile "$work"
kind load docker-image --name "$cluster" \
  ghcr.io/vllm-operator/operator:kind ghcr.io/vllm-operator/router:kind ghcr.io/vllm-operator/vllm-sim:kind

helm upgrade --install vllm-operator charts/vllm-operator --namespace vllm-operator-system --create-namespace \
  --set image.tag=kind --set defaultImages.router=ghcr.io/vllm-operator/router:kind --wait --timeout 180s
kubectl label namespace vllm-operator-system pod-security.kubernetes.io/enforce=restricted --overwrite
