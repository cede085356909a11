/** Flags that earlier versions had and v0.28.0 refuses; each is an "unrecognized argument" there. */
export const REMOVED_FLAGS: ReadonlySet<string> = new Set(
  `swap-space task num-scheduler-steps use-v2-block-manager preemption-mode scheduler-delay-factor
   num-lookahead-slots enable-prompt-adapter rope-scaling rope-theta override-pooler-config
   logits-processor-pattern qlora-adapter-name-or-path calculate-kv-scales max-num-partial-prefills
   max-long-partial-prefills lora-extra-vocab-size guided-decoding-backend cuda-graph-sizes
   max-seq-len-to-capture enable-reasoning disable-log-requests speculative-model num-speculative-tokens
   ngram-prompt-lookup-max ngram-prompt-lookup-min multi-step-stream-outputs tokenizer-pool-size`
    .trim()
    .split(/\s+/),
);
