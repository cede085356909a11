import type { ImageHandler } from './images/image-handler.ts';
import type { PodSources } from './pod-sources.ts';
import type { Timing } from './timing.ts';
import type { Watchdog } from './watchdog.ts';

/** What all pods of this machine share. */
export interface Machine {
  images: readonly ImageHandler[];
  sources: PodSources;
  /** Environment of every process. */
  baseEnv: Record<string, string>;
  timing: Timing;
  watchdog: Watchdog;
}

/** Records an event about a pod or container. */
export type Emit = (type: 'Normal' | 'Warning', reason: string, message: string) => void;
