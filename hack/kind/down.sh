#!/bin/sh
# Deletes the cluster of up.sh.
set -eu
exec kind delete cluster --name "${CLUSTER:-vllm-operator}"
