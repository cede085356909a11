import type { EngineName } from '../conformance/engines.ts';
import { ASLEEP, BUSY, CHAT, EMBEDDER } from './names.ts';

/** Arguments that have the engines of the conformance suite serve the names that programs use. */
export const ENGINE_NAMES = {
  chat: ['--served-model-name', CHAT, ASLEEP, BUSY],
  embed: ['--served-model-name', EMBEDDER],
} as const satisfies Partial<Record<EngineName, readonly string[]>>;
