#!/bin/sh
# curl. docs/how-to/clients.md shows the parts between `snippet` and `end`.
set -eu
fail() { echo "failed: $1" >&2; exit 1; }

# snippet: models
curl --fail-with-body "$OPENAI_BASE_URL/models" --header "Authorization: Bearer $OPENAI_API_KEY"
# end

chat() {
  # snippet: chat
  curl --fail-with-body "$OPENAI_BASE_URL/chat/completions" \
    --header "Authorization: Bearer $OPENAI_API_KEY" \
    --header "Content-Type: application/json" \
    --data '{"model": "qwen", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 50}'
  # end
}
chat | grep -q '"object":"chat.completion"' || fail "no completion"

stream() {
  # snippet: stream
  curl --fail-with-body --no-buffer "$OPENAI_BASE_URL/chat/completions" \
    --header "Authorization: Bearer $OPENAI_API_KEY" \
    --header "Content-Type: application/json" \
    --data '{"model": "qwen", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 50, "stream": true}'
  # end
}
stream | tail -n 2 | grep -q '^data: \[DONE\]$' || fail "the stream did not end"

messages() {
  # snippet: messages
  curl --fail-with-body "$ANTHROPIC_BASE_URL/v1/messages" \
    --header "x-api-key: $ANTHROPIC_API_KEY" \
    --header "Content-Type: application/json" \
    --data '{"model": "qwen", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 50}'
  # end
}
messages | grep -q '"type":"message"' || fail "no message"

# $1: a model, then options of curl. Prints the status.
ask() {
  model=$1
  shift
  curl --silent --output /dev/null --write-out '%{http_code}' "$@" "$OPENAI_BASE_URL/completions" \
    --header "Authorization: Bearer $OPENAI_API_KEY" --header "Content-Type: application/json" \
    --data "{\"model\": \"$model\", \"prompt\": \"Hello\", \"max_tokens\": 5}"
}
[ "$(ask nothing)" = 404 ] || fail "a model that is not there was found"
[ "$(ask qwen-suspended)" = 503 ] || fail "a suspended model answered"

patient() {
  # snippet: patience
  curl --retry 5 --fail-with-body "$OPENAI_BASE_URL/completions" \
    --header "Authorization: Bearer $OPENAI_API_KEY" \
    --header "Content-Type: application/json" \
    --data '{"model": "qwen-busy", "prompt": "Once upon a time", "max_tokens": 50}'
  # end
}
patient | grep -q '"object":"text_completion"' || fail "curl did not try again"
[ "$(ask qwen-asleep)" = 200 ] || fail "the model did not wake"
