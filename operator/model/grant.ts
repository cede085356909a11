/** What a model claims from a pool, or holds in it until it gets another grant or is deleted. */
export interface Grant {
  /** Names in the OpenAI API, including those of LoRA adapters. */
  readonly names: readonly string[];
  /** Number of replicas whose accelerators are charged. */
  readonly replicas: number;
}
