/** Host memory that an engine pod uses for certain. */
import { type ResolvedEngine, worldSize } from './resolved-engine.ts';

/** Size of /dev/shm in GiB: vLLM's manifests have 2 for one accelerator and 15 for eight. A volume of the template wins. */
export function sharedMemoryGiB(engine: Pick<ResolvedEngine, 'accelerator' | 'ownSharedMemoryGiB'>): number {
  return engine.ownSharedMemoryGiB ?? 2 * engine.accelerator.count;
}

/** /dev/shm and swap space in GiB: both count against the container's memory limit. */
export function committedMemoryGiB(engine: ResolvedEngine): number {
  const swap = engine.settings.pagedAttention?.swapSpaceGiB ?? 0;
  return sharedMemoryGiB(engine) + swap * worldSize(engine);
}
