/** Host memory that an engine pod always uses. */
import { type MergedEngine, worldSize } from './merged-engine.ts';

/**
 * Size of /dev/shm in GiB. vLLM's manifests use 2 for one accelerator and 15 for eight. A volume of the template takes
 * precedence.
 */
export function sharedMemoryGiB(engine: Pick<MergedEngine, 'accelerator' | 'ownSharedMemoryGiB'>): number {
  const { vendor, count } = engine.accelerator;
  // On CPU, one process does the computation.
  return engine.ownSharedMemoryGiB ?? (vendor === 'cpu' ? 1 : 2 * count);
}

/** /dev/shm and swap space in GiB. Both count against the memory limit of the container. */
export function committedMemoryGiB(engine: MergedEngine): number {
  const swap = engine.settings.pagedAttention?.swapSpaceGiB ?? 0;
  return sharedMemoryGiB(engine) + swap * worldSize(engine);
}

/**
 * Memory request of an engine pod in GiB: on CPU the whole memory of a replica, else a share per accelerator plus the
 * committed memory.
 */
export function podMemoryGiB(engine: MergedEngine): number {
  const { vendor, hostMemoryGiB, count } = engine.accelerator;
  return vendor === 'cpu' ? hostMemoryGiB : hostMemoryGiB * count + committedMemoryGiB(engine);
}
