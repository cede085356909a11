/** What a model asks of a pool, or holds in it until it asks for something else and gets it, or is gone. */
export interface Grant {
  /** Names in the OpenAI API, those of LoRA adapters included. */
  readonly names: readonly string[];
  /** Replicas whose accelerators are charged. */
  readonly replicas: number;
}
