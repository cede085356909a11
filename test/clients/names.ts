/** Names of models that the programs use, and how each behaves. */
export const CHAT = 'qwen';
/** Has no engine until a request waits for it. */
export const ASLEEP = 'qwen-asleep';
/** Refuses the first request of a program with 429, and serves the next. */
export const BUSY = 'qwen-busy';
/** Answers 503, and asks to come again after 30 seconds. */
export const SUSPENDED = 'qwen-suspended';
export const EMBEDDER = 'bge-m3';
