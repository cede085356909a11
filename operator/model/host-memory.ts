/** Host memory that an engine pod uses for certain. */
import { type MergedEngine, worldSize } from './merged-engine.ts';

/** Size of /dev/shm in GiB: vLLM's manifests have 2 for one accelerator and 15 for eight. A volume of the template wins. */
export function sharedMemoryGiB(engine: Pick<MergedEngine, 'accelerator' | 'ownSharedMemoryGiB'>): number {
  const { vendor, count } = engine.accelerator;
  // On CPU, one process computes.
  return engine.ownSharedMemoryGiB ?? (vendor === 'cpu' ? 1 : 2 * count);
}

/** /dev/shm and swap space in GiB: both count against the container's memory limit. */
export function committedMemoryGiB(engine: MergedEngine): number {
  const swap = engine.settings.pagedAttention?.swapSpaceGiB ?? 0;
  return sharedMemoryGiB(engine) + swap * worldSize(engine);
}

/** Memory in GiB that an engine pod asks for: on CPU all of a replica's, else what goes to each accelerator on top of the committed. */
export function podMemoryGiB(engine: MergedEngine): number {
  const { vendor, hostMemoryGiB, count } = engine.accelerator;
  return vendor === 'cpu' ? hostMemoryGiB : hostMemoryGiB * count + committedMemoryGiB(engine);
}
