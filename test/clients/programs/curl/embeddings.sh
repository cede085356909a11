#!/bin/sh
# Embeddings with curl.
set -eu
answer() {
  # snippet: embeddings
  curl --fail-with-body "$OPENAI_BASE_URL/embeddings" \
    --header "Authorization: Bearer $OPENAI_API_KEY" \
    --header "Content-Type: application/json" \
    --data '{"model": "bge-m3", "input": ["first text", "second text"]}'
  # end
}
answer | grep -q '"object":"embedding"'
